//! The transformation of a stream's values: arithmetic over `x`, the value, and `p`, the interval in seconds.
//!
//! Numbers, `+ - * /`, parentheses and signs, by the usual precedence. A value that is no number any more is a gap.

/// How deep parentheses may stand in each other.
const MAX_DEPTH: usize = 64;
/// The longest expression, in bytes.
const MAX_BYTES: usize = 1024;

/// An expression, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform(Expression);

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Number(f64),
    Value,
    Period,
    Negative(Box<Expression>),
    Operation(char, Box<Expression>, Box<Expression>),
}

impl Transform {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("is longer than {MAX_BYTES} characters"));
        }
        let mut parser = Parser { rest: text.trim_start(), depth: 0 };
        let expression = parser.sum()?;
        if parser.rest.is_empty() {
            Ok(Self(expression))
        } else {
            Err(format!("can't be read from `{}` on", parser.rest))
        }
    }

    /// The value that `x` becomes; `period` in seconds. May be no finite number.
    pub fn apply(&self, x: f64, period: f64) -> f64 {
        self.0.evaluate(x, period)
    }
}

impl Expression {
    fn evaluate(&self, x: f64, period: f64) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Value => x,
            Self::Period => period,
            Self::Negative(inner) => -inner.evaluate(x, period),
            Self::Operation(operator, one, other) => {
                let (one, other) = (one.evaluate(x, period), other.evaluate(x, period));
                match operator {
                    '+' => one + other,
                    '-' => one - other,
                    '*' => one * other,
                    _ => one / other,
                }
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let found = self.rest.chars().next().filter(|found| wanted.contains(found))?;
        self.rest = self.rest[found.len_utf8()..].trim_start();
        Some(found)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&['+', '-']) {
            left = Expression::Operation(operator, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.signed()?;
        while let Some(operator) = self.take(&['*', '/']) {
            left = Expression::Operation(operator, Box::new(left), Box::new(self.signed()?));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} deep"));
        }
        let signed = match self.take(&['+', '-']) {
            Some('-') => self.signed().map(|inner| Expression::Negative(Box::new(inner))),
            Some(_) => self.signed(),
            None => self.atom(),
        };
        self.depth -= 1;
        signed
    }

    fn atom(&mut self) -> Result<Expression, String> {
        if self.take(&['(']).is_some() {
            let inner = self.sum()?;
            return match self.take(&[')']) {
                Some(_) => Ok(inner),
                None => Err("lacks a `)`".to_owned()),
            };
        }
        if self.take(&['x', 'X']).is_some() {
            return Ok(Expression::Value);
        }
        if self.take(&['p', 'P']).is_some() {
            return Ok(Expression::Period);
        }
        let digits = self.rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number: f64 = self.rest[..digits].parse().map_err(|_| {
            let found = if self.rest.is_empty() { "its end" } else { self.rest };
            format!("has {found} where a number, `x`, `p` or `(` is expected")
        })?;
        self.rest = self.rest[digits..].trim_start();
        Ok(Expression::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_arithmetic_means() {
        for (text, expected) in [
            ("x", 6.0),
            ("x/p", 0.1),
            (" x * 8 / 1000 ", 0.048),
            ("x - 1 - 2", 3.0),
            ("x/2/3", 1.0),
            ("1 + x*2", 13.0),
            ("(1 + x)*2", 14.0),
            ("-x + --2", -4.0),
            ("2*-x", -12.0),
            (".5*x", 3.0),
        ] {
            assert_eq!(Transform::parse(text).unwrap().apply(6.0, 60.0), expected, "{text}");
        }
        assert!(Transform::parse("x/0").unwrap().apply(1.0, 1.0).is_infinite());
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in ["", " ", "x+", "(x", "x)", "y", "x x", "1..2", "x**2", "é", "1e5"] {
            assert!(Transform::parse(wrong).is_err(), "{wrong}");
        }
        let deep = "(".repeat(500);
        assert!(Transform::parse(&deep).is_err());
    }
}
