//! 500 MB of files of many kinds, the same on every machine.
//!
//! What a manager's backups are made of: texts, JSON, sources, logs, archives and pictures that are compressed already,
//! numbers as they lie in memory, noise; few long files and many short ones.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Numbers that look random, and are the same every time (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    /// Small numbers more often than large ones, as words are used.
    fn rank(&mut self, end: u64) -> usize {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((end as f64).powf(unit) - 1.0) as usize
    }
}

/// Words as a language has them: made of syllables, the frequent ones short.
fn words(dice: &mut Dice, count: usize) -> Vec<String> {
    const ONSETS: [&str; 18] =
        ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl", "ch"];
    const ENDS: [&str; 14] =
        ["a", "e", "i", "o", "u", "an", "er", "in", "on", "es", "ing", "ation", "al", "ent"];
    (0..count)
        .map(|number| {
            let syllables = 1 + (number as f64).log10().max(0.0) as u64 / 2 + dice.below(2);
            (0..syllables)
                .map(|_| {
                    let onset = ONSETS[dice.below(ONSETS.len() as u64) as usize];
                    format!("{onset}{}", ENDS[dice.below(ENDS.len() as u64) as usize])
                })
                .collect()
        })
        .collect()
}

/// One kind of file: its name's end and what writes one of about so many bytes.
type Kind = (&'static str, fn(&mut Dice, &[String], u64, &mut dyn Write) -> io::Result<()>);

const KINDS: &[Kind] =
    &[("txt", prose), ("json", json), ("rs", source), ("log", log), ("csv", table), ("bin", numbers)];

fn prose(dice: &mut Dice, words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut left = length as i64;
    while left > 0 {
        let mut sentence = String::new();
        for place in 0..6 + dice.below(14) {
            let word = &words[dice.rank(words.len() as u64)];
            match place {
                0 => sentence.push_str(&format!("{}{}", word[..1].to_uppercase(), &word[1..])),
                _ if dice.below(12) == 0 => sentence.push_str(&format!(", {word}")),
                _ => sentence.push_str(&format!(" {word}")),
            }
        }
        sentence.push_str(if dice.below(6) == 0 { ".\n\n" } else { ". " });
        out.write_all(sentence.as_bytes())?;
        left -= sentence.len() as i64;
    }
    Ok(())
}

fn json(dice: &mut Dice, words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut left = length as i64;
    out.write_all(b"[")?;
    while left > 0 {
        let (one, other) = (&words[dice.rank(2000)], &words[dice.rank(words.len() as u64)]);
        let item = format!(
            "{{\"id\": \"{one}_{:08x}\", \"type\": \"cloudify.nodes.{other}\", \"created_at\": \"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\", \
             \"properties\": {{\"ip\": \"10.{}.{}.{}\", \"size\": {}, \"enabled\": {}}}, \"relationships\": [\"{}\"]}},\n",
            dice.next() >> 32,
            1 + dice.below(12),
            1 + dice.below(28),
            dice.below(24),
            dice.below(60),
            dice.below(60),
            dice.below(1000),
            dice.below(256),
            dice.below(256),
            dice.below(256),
            dice.below(100_000),
            dice.below(2) == 0,
            words[dice.rank(500)],
        );
        out.write_all(item.as_bytes())?;
        left -= item.len() as i64;
    }
    out.write_all(b"{}]\n")
}

fn source(dice: &mut Dice, words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut left = length as i64;
    while left > 0 {
        let mut function = format!(
            "/// {} the {}.\nfn {}(",
            words[dice.rank(800)],
            words[dice.rank(800)],
            words[dice.rank(3000)]
        );
        for _ in 0..dice.below(4) {
            function.push_str(&format!("{}: &{}, ", words[dice.rank(600)], words[dice.rank(300)]));
        }
        function.push_str(") -> Result<(), Error> {\n");
        for _ in 0..3 + dice.below(12) {
            let (one, other) = (&words[dice.rank(600)], &words[dice.rank(600)]);
            let line = match dice.below(5) {
                0 => format!("    if {one}.is_{other}() {{\n        return Err(Error::{one});\n    }}\n"),
                1 => format!(
                    "    for {one} in {other}.iter() {{\n        self.{one}.push({one}.clone());\n    }}\n"
                ),
                2 => format!("    // The {one} has to be there before the {other}.\n"),
                3 => format!(
                    "    let {one} = self.{other}.{}({}, {});\n",
                    words[dice.rank(900)],
                    dice.below(100),
                    one
                ),
                _ => format!("    {one}.{other}(&mut {})?;\n", words[dice.rank(600)]),
            };
            function.push_str(&line);
        }
        function.push_str("    Ok(())\n}\n\n");
        out.write_all(function.as_bytes())?;
        left -= function.len() as i64;
    }
    Ok(())
}

fn log(dice: &mut Dice, words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let (mut left, mut millisecond) = (length as i64, dice.below(1 << 30));
    while left > 0 {
        millisecond += dice.below(500);
        let second = millisecond / 1000;
        let line = format!(
            "2026-03-{:02} {:02}:{:02}:{:02}.{:03} {} [{}] {}: {} {} took {} ms\n",
            1 + second / 86_400 % 28,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            millisecond % 1000,
            ["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"][dice.below(6) as usize],
            words[dice.rank(40)],
            words[dice.rank(200)],
            words[dice.rank(400)],
            words[dice.rank(4000)],
            dice.below(5000),
        );
        out.write_all(line.as_bytes())?;
        left -= line.len() as i64;
    }
    Ok(())
}

fn table(dice: &mut Dice, words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let (mut left, mut value) = (length as i64, 50_000_i64);
    while left > 0 {
        value += dice.below(2001) as i64 - 1000;
        let line = format!(
            "{},{:.3},{},{}\n",
            left,
            value as f64 / 1000.0,
            words[dice.rank(60)],
            dice.below(1 << 20)
        );
        out.write_all(line.as_bytes())?;
        left -= line.len() as i64;
    }
    Ok(())
}

fn numbers(dice: &mut Dice, _words: &[String], length: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut value = 0_u32;
    for _ in 0..length / 8 {
        value = value.wrapping_add(dice.below(900) as u32);
        out.write_all(&value.to_le_bytes())?;
        out.write_all(&(dice.below(50) as u32).to_le_bytes())?;
    }
    Ok(())
}

fn noise(dice: &mut Dice, length: u64, out: &mut dyn Write) -> io::Result<()> {
    for _ in 0..length.div_ceil(8) {
        out.write_all(&dice.next().to_le_bytes())?;
    }
    Ok(())
}

/// Makes the files in `folder`, `megabytes` (10^6 bytes) in all, and gives their names in order.
pub fn make(folder: &Path, megabytes: u64) -> anyhow::Result<Vec<PathBuf>> {
    let mut dice = Dice::new(1);
    let words = words(&mut dice, 20_000);
    let mut names = Vec::new();
    let mut write =
        |name: String, work: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| -> anyhow::Result<()> {
            let path = folder.join(&name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
            work(&mut file)?;
            file.flush()?;
            names.push(PathBuf::from(name));
            Ok(())
        };
    let percent = megabytes * 10_000;
    // A few long ones: a log, a table, a document, and one that is compressed already.
    write("large/service.log".into(), &mut |out| log(&mut dice, &words, 12 * percent, out))?;
    write("large/measurements.csv".into(), &mut |out| table(&mut dice, &words, 8 * percent, out))?;
    write("large/state.json".into(), &mut |out| json(&mut dice, &words, 12 * percent, out))?;
    write("large/noise.bin".into(), &mut |out| noise(&mut dice, 6 * percent, out))?;
    write("large/backup.tar.gz".into(), &mut |out| {
        let mut gz = GzEncoder::new(out, Compression::new(6));
        prose(&mut dice, &words, 15 * percent, &mut gz)?;
        gz.finish().map(drop)
    })?;
    // Many of some hundred KB, as blueprints and plugins are, a third of them compressed already.
    for number in 0..percent * 27 / 300_000 {
        let (end, kind) = KINDS[dice.below(KINDS.len() as u64) as usize];
        let length = 50_000 + dice.below(500_000);
        if number.is_multiple_of(3) {
            write(format!("archives/{:02}/plugin-{number}.tar.gz", number % 40), &mut |out| {
                let mut gz = GzEncoder::new(out, Compression::new(6));
                kind(&mut dice, &words, 3 * length, &mut gz)?;
                gz.finish().map(drop)
            })?;
        } else {
            write(format!("files/{:02}/{number}.{end}", number % 40), &mut |out| {
                kind(&mut dice, &words, length, out)
            })?;
        }
    }
    // Very many short ones.
    for number in 0..percent * 34 / 14_000 {
        let (end, kind) = KINDS[dice.below(5) as usize];
        let length = 1000 + dice.below(26_000);
        write(format!("small/{:03}/{number}.{end}", number % 200), &mut |out| {
            kind(&mut dice, &words, length, out)
        })?;
    }
    names.sort();
    Ok(names)
}

/// Reads every file of a folder once; how many there are, and their bytes together.
pub fn read(folder: &Path) -> anyhow::Result<(u64, u64)> {
    let mut totals = (0, 0);
    for name in names(folder)? {
        totals.0 += 1;
        totals.1 += io::copy(&mut File::open(folder.join(name))?, &mut io::sink())?;
    }
    Ok(totals)
}

/// The names of all files below a folder, in order.
pub fn names(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(inner) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let name = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() { waiting.push(name) } else { names.push(name) }
        }
    }
    names.sort();
    Ok(names)
}
