//! Names whose addresses change while a file is fetched by them, so that what was judged is not where they lead.
//!
//! A network of this machine's own addresses stands for the public one; the address that nobody may reach is
//! `127.0.0.1`, on the same port. The name server is real, and the service asks it as it asks any. That takes root.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use reqwest::Method;
use serde_json::json;

use crate::harness::{Api, FileServer, NameServer, Reply, TestServer, fill};

/// Where files may be fetched from.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(127, 80, 0, 1);
/// Where they might as well, and where nobody listens.
const DEAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 80, 0, 2));
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAME: &str = "files.moving.test";

/// A file server outside, and those inside who listen on the same port, on whom nobody may call.
fn outside_and_inside() -> (FileServer, Vec<TcpListener>) {
    for _ in 0..100 {
        let files = FileServer::start_at(PUBLIC);
        let Ok(inside) = TcpListener::bind((Ipv4Addr::LOCALHOST, files.port())) else { continue };
        let mut inside = vec![inside];
        // Where the machine knows IPv6.
        inside.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, files.port())));
        inside.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        return (files, inside);
    }
    panic!("no port is free inside and outside");
}

fn fetch(api: &Api, call: &str, url: &str) -> Reply {
    let escaped: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    api.send(api.request(Method::PUT, &format!("{call}{escaped}")))
}

#[test]
fn a_name_that_leads_inside_the_next_time_gains_nothing() {
    let names = NameServer::start();
    let server =
        TestServer::builder().settings("[url_fetch]\nallow = [\"127.80.0.0/16\"]").asking(&names).start();
    let api = server.api();
    fill(&api);
    api.create_snapshot("nightly", &json!({}));
    let archive = api.archive("nightly");
    let (files, inside) = outside_and_inside();
    let url = |path: &str| format!("http://{NAME}:{}{path}", files.port());
    files.file("/a.zip", archive.clone());
    for path in ["/again", "/twice"] {
        files.redirect(path, &url("/a.zip"));
    }
    files.redirect("/far", &url("/again"));
    let outside = IpAddr::V4(PUBLIC);
    let [loopback, mapped] = [Ipv6Addr::LOCALHOST, Ipv4Addr::LOCALHOST.to_ipv6_mapped()].map(IpAddr::V6);

    let refused = ["Cannot fetch", "127.0.0.1 is not public", "`url_fetch.allow`"];
    let failed = ["Cannot fetch", "the connection failed"];
    // What the name leads to when it is asked for again and again, what is fetched, how often it was asked for, and the
    // words of the refusal.
    type Case<'a> = (&'a str, &'a [&'a [IpAddr]], &'a str, usize, &'a [&'a str]);
    let cases: [Case<'_>; 10] = [
        ("inside at the second look", &[&[outside], &[INSIDE]], "/a.zip", 1, &[]),
        ("inside at once", &[&[INSIDE], &[outside]], "/a.zip", 1, &refused),
        ("both at once", &[&[outside, INSIDE]], "/a.zip", 1, &[]),
        ("both at once, in the other order", &[&[INSIDE, outside]], "/a.zip", 1, &[]),
        ("one that does not answer, and inside", &[&[DEAD, INSIDE]], "/a.zip", 1, &failed),
        ("inside, and one that does not answer", &[&[INSIDE, DEAD]], "/a.zip", 1, &failed),
        ("one that does not answer, and inside by IPv6", &[&[DEAD, loopback, mapped]], "/a.zip", 1, &failed),
        ("inside by IPv6", &[&[mapped]], "/a.zip", 1, &["Cannot fetch", "is not public"]),
        ("inside where a redirect leads", &[&[outside], &[INSIDE]], "/again", 2, &refused),
        ("inside at the third hop", &[&[outside], &[outside], &[INSIDE]], "/far", 3, &refused),
    ];
    for (what, leads, path, asked, words) in cases {
        for (call, entity) in [
            ("snapshots/odd/archive?snapshot_archive_url=", "snapshots/odd"),
            ("blueprints/odd?application_file_name=b.yaml&blueprint_archive_url=", "blueprints/odd"),
        ] {
            names.lead(NAME, leads);
            let reply = fetch(&api, call, &url(path));
            println!("{what}: {}", reply.text());
            for word in words {
                assert!(reply.text().contains(word), "{what}: does not say {word:?}");
            }
            assert_eq!(names.asked(NAME), asked, "{what}: the name is looked up once for each hop");
            for listener in &inside {
                assert!(listener.accept().is_err(), "{what}: somebody called inside");
            }
            if !words.is_empty() {
                assert_eq!((reply.status, api.get(entity).status), (400, 404), "{what}");
            } else if entity.starts_with("snapshots") {
                reply.expect(201);
                assert!(api.archive("odd") == archive, "{what}");
            } else {
                // It was fetched, and is no blueprint.
                assert!(reply.expect_error(400, "bad_parameters_error").contains("b.yaml"), "{what}");
            }
            api.delete(entity);
        }
    }
}
