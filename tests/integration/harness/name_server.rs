//! A name server on this machine whose answers change from one question to the next, and services that ask no other.
//!
//! It knows as much of DNS (RFC 1035) as a resolver of the C library asks. It must not know what is claimed.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;
const HEADER_BYTES: usize = 12;

/// What is known of one name.
#[derive(Default)]
struct Name {
    /// The addresses that each question is answered with in turn; the last ones again and again.
    answers: Vec<Vec<IpAddr>>,
    /// Whether nothing is answered at all.
    is_silent: bool,
    /// How often it was asked for, by the type of question.
    asked: HashMap<u16, usize>,
}

/// A name server; its thread ends with the test's process.
pub struct NameServer {
    address: Ipv4Addr,
    names: Arc<Mutex<HashMap<String, Name>>>,
}

impl NameServer {
    /// Listens on port 53, where alone resolvers ask, of an address of this machine that nobody else uses.
    pub fn start() -> Self {
        let (socket, address) = (1..=u8::MAX)
            .map(|last| Ipv4Addr::new(127, 53, std::process::id().to_le_bytes()[0], last))
            .find_map(|address| Some((UdpSocket::bind((address, 53)).ok()?, address)))
            .expect("no address of this machine has its port 53 free: this test has to be run as root");
        let server = Self { address, names: Arc::default() };
        let names = Arc::clone(&server.names);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                if let Some(answer) = answer(&question[..length], &mut names.lock().unwrap()) {
                    // Who asks no longer waits for it is none of the test's business.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        server
    }

    /// Answers the questions for a name with these addresses in turn, and with the last ones from then on.
    pub fn lead(&self, name: &str, answers: &[&[IpAddr]]) {
        let answers = answers.iter().map(|addresses| addresses.to_vec()).collect();
        self.names.lock().unwrap().insert(name.to_owned(), Name { answers, ..Name::default() });
    }

    /// Leaves the questions for a name without an answer.
    pub fn silence(&self, name: &str) {
        self.names.lock().unwrap().insert(name.to_owned(), Name { is_silent: true, ..Name::default() });
    }

    /// How often a name's addresses were asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.names.lock().unwrap()[name].asked.get(&A).copied().unwrap_or(0)
    }

    /// What tells a resolver to ask this server, and to wait for it as long as a resolver can: the text of
    /// `/etc/resolv.conf`.
    pub(super) fn configuration(&self) -> String {
        format!("nameserver {}\noptions timeout:30 attempts:1\n", self.address)
    }
}

/// A command that runs `program` where `configuration` is `/etc/resolv.conf`, and names are asked for nowhere else.
pub(super) fn asking(configuration: &Path, program: &str) -> Command {
    const SCRIPT: &str = r#"
        mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf || exit 1
        shift 2
        exec "$@""#;
    let order = configuration.with_extension("order");
    fs::write(&order, "hosts: dns\n").unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", SCRIPT, "sh"]).args([configuration, &order]).arg(program);
    command
}

fn answer(question: &[u8], names: &mut HashMap<String, Name>) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(std::str::from_utf8(question.get(at..at + length)?).ok()?.to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
    let asked = question.get(HEADER_BYTES..at + 4)?;
    let found = names.get_mut(&labels.join("."));
    if found.as_ref().is_some_and(|name| name.is_silent) {
        return None;
    }
    let is_known = found.is_some();
    let addresses: Vec<IpAddr> = found.map_or_else(Vec::new, |name| {
        let number = name.asked.entry(kind).or_default();
        *number += 1;
        let addresses = name.answers.get(*number - 1).or(name.answers.last()).cloned().unwrap_or_default();
        addresses.into_iter().filter(|address| kind == if address.is_ipv4() { A } else { AAAA }).collect()
    });

    let mut answer = question.get(..2)?.to_vec();
    // An answer, recursion was wanted and is there; and whether there is such a name.
    answer.extend([0x81, if is_known { 0x80 } else { 0x83 }]);
    for count in [1, u16::try_from(addresses.len()).ok()?, 0, 0] {
        answer.extend(count.to_be_bytes());
    }
    answer.extend(asked);
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // The name of the question, and to be kept for no second.
        answer.extend([0xc0, HEADER_BYTES as u8]);
        answer.extend([kind.to_be_bytes(), IN.to_be_bytes(), [0, 0], [0, 0]].concat());
        answer.extend(u16::try_from(bytes.len()).ok()?.to_be_bytes());
        answer.extend(bytes);
    }
    Some(answer)
}
