//! The command line as a whole: what parses, and what commands do against a service that plays a part.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Cli;
use super::chart::picture;
use super::connection::{Call, ConnectionArgs, Paging, Service};
use super::download::download;
use super::error::FailureKind;
use super::flow::resources::{self, Resource, StepSnapshot};
use super::{follow, upload};

fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
}

#[test]
fn the_tree_of_commands_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn what_the_help_shows_is_understood() {
    for line in [
        "lifeboat serve --config a.toml --data d --listen 127.0.0.1:0 --port-file p",
        "lifeboat quickstart --keep",
        "lifeboat snapshot create --include-metrics --include-credentials --exclude-logs --exclude-events --queue --wait",
        "lifeboat snapshot create nightly --pause-flows --include-flow-history",
        "lifeboat snapshot create nightly --json --url http://a:1 --user u --password-file f --tenant t",
        "lifeboat snapshot --token t list --all-tenants --search x --sort id --descending --offset 3 --size 2",
        "lifeboat snapshot download nightly -o f --force",
        "lifeboat snapshot upload f nightly",
        "lifeboat snapshot restore nightly --force --recreate-deployments-envs true --queue --wait --yes",
        "lifeboat snapshot restore nightly --skip-environments",
        "lifeboat snapshot restore nightly --kind nodes --kind flows --of-tenant t --id a/b/c* --with-dependencies --dry-run --tenant u",
        "lifeboat snapshot verify nightly --wait",
        "lifeboat snapshot protect nightly --off",
        "lifeboat snapshot status",
        "lifeboat rollback --wait --yes --json",
        "lifeboat flow list --workspace w --status active --search x --json",
        "lifeboat flow show f",
        "lifeboat flow show f --history",
        "lifeboat flow show f --history 5",
        "lifeboat flow start f",
        "lifeboat flow stop f --token t",
        "lifeboat flow reset f",
        "lifeboat flow reset f a/b .. --yes",
        "lifeboat flow undo f --change 17 --step a/b --force",
        "lifeboat flow capture f --description x --wait",
        "lifeboat flow captures",
        "lifeboat flow captures f --workspace w",
        "lifeboat flow compare c",
        "lifeboat flow compare c --with d",
        "lifeboat flow restore f --capture c --yes",
        "lifeboat flow restore f --snapshot nightly --force --wait --yes",
        "lifeboat chart list --json",
        "lifeboat chart snapshot 1",
        "lifeboat chart snapshot 1 --duration 600 --end-time 2026-02-20T01:18:46Z --type bignumber --source web* --token t",
        "lifeboat chart snapshot 1000 --width 800 --height 300 --scale 2 --look dark --output f.png --force",
        "lifeboat chart show 3",
        "lifeboat chart show 3 -o f.svg",
        "lifeboat chart snapshots --tenant t",
        "lifeboat chart delete 3",
        "lifeboat execution list --status started --status queued --workflow create_snapshot --deployment d",
        "lifeboat execution cancel e --kill",
        "lifeboat execution tail e --events-only",
        "lifeboat user create anna@example.org --role sys_admin --password-stdin",
        "lifeboat user set-role anna default",
        "lifeboat token create --description x --expires 90d",
        "lifeboat key show --data d",
        "lifeboat key show --url http://h:1 --json",
        "lifeboat key rotate --signer",
        "lifeboat key rotate --data d",
        "lifeboat key remove 5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7 --force --yes --data d",
        "lifeboat key recovery --taken",
        "lifeboat snapshot create a --seal-for age1x --seal-for b.json",
        "lifeboat snapshot reseal a --seal-for age1x --drop 5d1f0b2c9be1f4a8d33c5ab1a5f2c6e7 --wait",
        "lifeboat snapshot restore a --skip-sealed --yes",
        "lifeboat reseal a.zip -o b.zip --identity old.txt --seal-for age1x",
        "lifeboat reseal a.zip -o b.zip --data d --force",
        "lifeboat inspect a.zip b.zip --json",
        "lifeboat verify a.zip",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "lifeboat",
        "lifeboat snapshot get ..",
        "lifeboat snapshot create --password x",
        "lifeboat snapshot list --size many",
        "lifeboat snapshot list --token t --user u",
        "lifeboat snapshot restore a --skip-environments --recreate-deployments-envs true",
        "lifeboat reseal a.zip",
        "lifeboat flow list --status paused",
        "lifeboat flow show ..",
        "lifeboat flow show f --history 0",
        "lifeboat flow show f --history many",
        "lifeboat flow compare",
        "lifeboat flow restore f",
        "lifeboat flow restore f --capture c --snapshot nightly",
        "lifeboat flow restore f --capture c --wait",
        "lifeboat flow restore f --capture c --force",
        "lifeboat chart",
        "lifeboat chart snapshot",
        "lifeboat chart snapshot cpu",
        "lifeboat chart snapshot -1",
        "lifeboat chart snapshot 1 --look loud",
        "lifeboat chart snapshot 1 --type pie",
        "lifeboat chart snapshot 1 --duration long",
        "lifeboat chart snapshot 1 --force",
        "lifeboat chart show ..",
        "lifeboat execution cancel e --force --kill",
        "lifeboat user create a --role king",
        "lifeboat user create a --password-stdin --new-password-file f",
        "lifeboat token create --expires soon",
        "lifeboat verify",
        "lifeboat serve --listen nowhere",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

/// A request as the pretended service has received it.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// An answer: status, headers beside the length, body, and how much of the body is really sent.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    sent: usize,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string().into_bytes())
    }

    fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), sent: body.len(), body }
    }
}

/// Serves `answer` on a port of its own; every connection carries one request.
fn pretend(mut answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read_request(&stream);
            let answer = answer(&request);
            let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
            for (name, value) in &answer.headers {
                head += &format!("{name}: {value}\r\n");
            }
            head += &format!("content-length: {}\r\n\r\n", answer.body.len());
            // The client may hang up whenever it has seen enough.
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&answer.body[..answer.sent]))
                .ok();
        }
    });
    let args = ConnectionArgs { url: Some(url), token: Some("t".into()), ..ConnectionArgs::default() };
    Service::connect(&args).unwrap()
}

fn read_request(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request { line: line.trim().to_owned(), headers, body }
}

fn archive() -> (Vec<u8>, String) {
    let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    (bytes, sha256)
}

/// Serves one snapshot as our service does, ranges among it; sends at most `most` bytes of it at a time.
fn serving_archive(most: usize, ranges: Arc<Mutex<Vec<String>>>) -> Service {
    let (bytes, sha256) = archive();
    pretend(move |request| {
        if !request.line.contains("/archive") {
            return Answer::json(200, &json!({ "id": "a", "size_bytes": bytes.len(), "sha256": sha256 }));
        }
        let range = request.headers.get("range").cloned().unwrap_or_default();
        ranges.lock().unwrap().push(range.clone());
        let is_same = request.headers.get("if-range").is_none_or(|tag| *tag == format!("\"{sha256}\""));
        let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).filter(|_| is_same);
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        let mut answer = Answer::bytes(if from > 0 { 206 } else { 200 }, bytes[from..].to_vec());
        answer.sent = answer.sent.min(most);
        answer.headers.push(("etag", format!("\"{sha256}\"")));
        if from > 0 {
            answer
                .headers
                .push(("content-range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())));
        }
        answer
    })
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let service = serving_archive(250_000, Arc::clone(&ranges));
    let downloaded = download(&service, "a", &target, false).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), archive().0);
    assert!(downloaded.is_checked && downloaded.sha256 == archive().1);
    assert_eq!(*ranges.lock().unwrap(), ["", "bytes=250000-", "bytes=500000-"]);
    assert!(!folder.path().join("a.zip.part").exists());
}

#[test]
fn a_part_of_an_earlier_run_is_gone_on_with_and_one_of_another_archive_is_not() {
    let (bytes, _) = archive();
    for (part, resumed, asked) in [
        (bytes[..1000].to_vec(), 1000, vec!["bytes=1000-"]),
        (bytes.clone(), 600_000, vec![]),
        (vec![7; 1000], 0, vec!["bytes=1000-", ""]),
        (vec![7; 600_001], 0, vec![""]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.zip");
        std::fs::write(folder.path().join("a.zip.part"), &part).unwrap();
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let service = serving_archive(usize::MAX, Arc::clone(&ranges));
        let downloaded = download(&service, "a", &target, false).unwrap();
        assert_eq!(downloaded.resumed_from_bytes, resumed);
        assert_eq!(std::fs::read(&target).unwrap(), bytes);
        assert_eq!(*ranges.lock().unwrap(), asked);
    }
}

#[test]
fn bytes_that_are_not_the_archive_get_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    let service = pretend(|request| match request.line.contains("/archive") {
        true => Answer::bytes(200, b"other".to_vec()),
        false => Answer::json(200, &json!({ "id": "a", "size_bytes": 5, "sha256": "0".repeat(64) })),
    });
    let error = download(&service, "a", &target, false).unwrap_err();
    assert_eq!(error.kind, FailureKind::Failed);
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.zip");
    std::fs::write(&target, "mine").unwrap();
    let service = serving_archive(usize::MAX, Arc::default());
    let error = download(&service, "a", &target, false).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
    download(&service, "a", &target, true).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), archive().0);
}

#[test]
fn a_picture_is_saved_whole_or_not_at_all() {
    let picture = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![7; 1000]].concat();
    // The address names another host: the picture comes from the service that was called.
    let record =
        json!({ "href": "http://elsewhere/v1/snapshots/3", "image_href": "http://elsewhere/images/k-3.png" });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.png");
    for (body, sent) in [(picture.clone(), 500), (b"<html>".to_vec(), 6)] {
        let service = pretend(move |_| Answer { sent, ..Answer::bytes(200, body.clone()) });
        assert!(picture::save(&service, &record, &target, false).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{sent}");
    }
    std::fs::write(folder.path().join("a.png.part"), vec![1; 5000]).unwrap();
    let sent = picture.clone();
    let service = pretend(move |request| {
        assert_eq!(request.line, "GET /images/k-3.png HTTP/1.1");
        Answer::bytes(200, sent.clone())
    });
    picture::save(&service, &record, &target, false).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), picture);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = picture::save(&service, &record, &target, false).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    picture::save(&service, &record, &target, true).unwrap();
    let waiting = json!({ "href": "http://elsewhere/v1/snapshots/3", "image_href": null });
    let error = picture::save(&service, &waiting, &target, true).unwrap_err();
    assert_eq!(error.to_string(), "save the picture of chart snapshot `3`: it is not drawn");
}

#[test]
fn an_upload_carries_its_length_and_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.zip");
    let (bytes, sha256) = archive();
    std::fs::write(&file, &bytes).unwrap();
    for told in [sha256, "0".repeat(64)] {
        let answered = told.clone();
        let expected = bytes.clone();
        let service = pretend(move |request| match request.line.starts_with("PUT") {
            true if request.body == expected => Answer::json(201, &json!({ "id": "a", "sha256": answered })),
            true => Answer::json(400, &json!({ "message": "other bytes" })),
            false => Answer::json(404, &json!({ "message": "no such snapshot" })),
        });
        let uploaded = upload::upload(&service, file.to_str().unwrap(), "a");
        assert_eq!(uploaded.is_ok(), told != "0".repeat(64), "{uploaded:?}");
    }
}

#[test]
fn an_upload_to_a_taken_id_sends_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let service = pretend(|request| {
        assert!(request.line.starts_with("GET"), "{}", request.line);
        Answer::json(200, &json!({ "id": "a" }))
    });
    let error = upload::upload(&service, file.path().to_str().unwrap(), "a").unwrap_err();
    assert_eq!(error.kind.exit_code(), 4);
}

#[test]
fn a_list_is_read_to_its_end_or_to_its_size() {
    let service = pretend(|request| {
        let number = |name: &str| -> u64 {
            let (_, rest) = request.line.split_once(name).unwrap();
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let (offset, size) = (number("_offset="), number("_size="));
        let items: Vec<_> = (offset..(offset + size).min(2500)).map(|id| json!({ "id": id })).collect();
        Answer::json(200, &json!({ "items": items, "metadata": { "pagination": { "total": 2500 } } }))
    });
    let list = |offset, size| {
        let listing = service.list(Call::get("list", &["snapshots"]), Paging { offset, size }).unwrap();
        (listing.items.len(), listing.items.first().map(|item| item["id"].clone()), listing.total)
    };
    assert_eq!(list(0, None), (2500, Some(0.into()), 2500));
    assert_eq!(list(10, Some(3)), (3, Some(10.into()), 2500));
    assert_eq!(list(2400, Some(1500)), (100, Some(2400.into()), 2500));
    assert_eq!(list(3000, None), (0, None, 2500));
}

#[test]
fn a_list_of_flows_is_read_page_by_page() {
    let service = pretend(|request| {
        let number = |name: &str| -> usize {
            let (_, rest) = request.line.split_once(name).unwrap();
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        assert!(request.line.starts_with("GET /v2/flows?search=x&"), "{}", request.line);
        let (page, size) = (number("page%5Bnumber%5D="), number("page%5Bsize%5D="));
        let ids = ((page - 1) * size..(page * size).min(250)).map(|id| json!({ "id": id.to_string() }));
        let meta =
            json!({ "page": page, "per_page": size, "total": 250, "total_pages": 250_usize.div_ceil(size) });
        Answer::json(200, &json!({ "data": ids.collect::<Vec<_>>(), "meta": meta }))
    });
    let list = |most| {
        let call = Call::get("list the flows", &["v2", "flows"]).query("search", "x");
        let listing = resources::list::<Resource>(&service, &call, 100, most).unwrap();
        (listing.items.len(), listing.items.last().map(Resource::id), listing.total)
    };
    assert_eq!(list(None), (250, Some("249".into()), 250));
    assert_eq!(list(Some(120)), (120, Some("119".into()), 250));
    assert_eq!(list(Some(3)), (3, Some("2".into()), 250));
}

#[test]
fn what_a_step_keeps_is_read_as_its_text() {
    let value = r#"{"z": 9007199254740993, "$set": 1e400, "a": 1.10}"#;
    let service = pretend(move |_| {
        let resource = format!(r#"{{"id":"a/b","type":"snapshot","attributes":{{"snapshot":{value}}}}}"#);
        Answer::bytes(200, format!(r#"{{"data":[{resource}],"meta":{{}}}}"#).into_bytes())
    });
    let call = Call::get("get what the steps keep", &["v2", "flows", "f", "snapshots"]);
    let snapshots: Vec<Resource<StepSnapshot>> = resources::read(&service, call).unwrap();
    assert_eq!(snapshots[0].parsed.value(), value);
    assert!(serde_json::to_string_pretty(&snapshots).unwrap().contains(value));
}

#[test]
fn an_answer_of_another_form_is_a_failure_and_no_crash() {
    for answer in ["", "<html>", "[]", "{}", r#"{"data":[{"id":"a"}]}"#] {
        let service = pretend(move |_| Answer::bytes(200, answer.into()));
        let call = Call::get("get what the steps keep", &["v2", "flows", "f", "snapshots"]);
        let error = resources::read::<Vec<Resource<StepSnapshot>>>(&service, call).unwrap_err();
        assert_eq!(error.kind, FailureKind::Failed, "{answer}");
        assert!(error.to_string().starts_with("get what the steps keep: the answer is"), "{error}");
    }
}

#[test]
fn an_execution_of_another_tenant_is_followed_there() {
    let tenants = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tenants);
    let service = pretend(move |request| {
        seen.lock().unwrap().push(request.headers.get("tenant").cloned());
        Answer::json(200, &json!({ "id": "e", "status": "terminated" }))
    });
    follow::follow(&service, "e", &mut |_| Ok(())).unwrap();
    follow::follow(&service.in_tenant("w").unwrap(), "e", &mut |_| Ok(())).unwrap();
    assert_eq!(*tenants.lock().unwrap(), [None, Some("w".to_owned())]);
}

#[test]
fn an_execution_is_followed_through_a_service_that_is_gone_for_a_while() {
    let mut reading = 0;
    let service = pretend(move |_| {
        reading += 1;
        match reading {
            1 => Answer::json(200, &json!({ "id": "e", "status": "started", "phase": "collecting" })),
            2 => Answer::json(503, &json!({ "message": "starting" })),
            _ => Answer::json(200, &json!({ "id": "e", "status": "failed", "error": "no space" })),
        }
    });
    let mut seen = Vec::new();
    let ended = follow::follow(&service, "e", &mut |execution| {
        seen.push(execution["status"].as_str().unwrap_or_default().to_owned());
        Ok(())
    });
    assert_eq!(seen, ["started", "failed"]);
    assert_eq!(follow::outcome("create `a`", &ended.unwrap()).unwrap_err().kind.exit_code(), 1);
}

#[test]
fn a_service_that_is_not_there_is_exit_code_3() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let args =
        ConnectionArgs { url: Some(url.clone()), token: Some("secret".into()), ..ConnectionArgs::default() };
    let error =
        Service::connect(&args).unwrap().call(Call::get("list the snapshots", &["snapshots"])).unwrap_err();
    assert_eq!(error.kind.exit_code(), 3);
    let text = error.to_string();
    assert!(text.contains(&url) && text.contains("LIFEBOAT_URL") && !text.contains("secret"), "{text}");
}
