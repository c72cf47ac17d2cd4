//! One of the many: does one random thing after the other, and writes down what was answered.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::model::{Call, Kind};
use crate::harness::{Api, Dice, Reply};

/// How many ids there are besides those of the states to go back to.
const IDS: usize = 24;
/// How many executions are remembered, to be cancelled by anybody.
const REMEMBERED: usize = 16;

/// What all clients share.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub archive: &'a [u8],
    pub flow: &'a str,
    pub chart: i64,
    /// Executions that somebody may cancel.
    pub executions: &'a Mutex<Vec<String>>,
    pub begun: Instant,
}

pub struct Client<'a> {
    api: Api,
    scene: Scene<'a>,
    dice: Dice,
    history: Vec<Call>,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Wish {
    Create,
    Upload,
    UploadGarbage,
    Delete,
    Get,
    List,
    Download,
    Restore,
    Rollback,
    Cancel,
    Capture,
    Render,
    ReadState,
}

/// How often, of a hundred.
const WISHES: [(Wish, usize); 13] = [
    (Wish::Create, 14),
    (Wish::Upload, 6),
    (Wish::UploadGarbage, 4),
    (Wish::Delete, 20),
    (Wish::Get, 20),
    (Wish::List, 4),
    (Wish::Download, 8),
    (Wish::Restore, 5),
    (Wish::Rollback, 2),
    (Wish::Cancel, 7),
    (Wish::Capture, 2),
    (Wish::Render, 2),
    (Wish::ReadState, 6),
];

impl<'a> Client<'a> {
    pub fn new(api: Api, scene: Scene<'a>, seed: u64) -> Self {
        Self { api, scene, dice: Dice::new(seed), history: Vec::new() }
    }

    pub fn work_until(mut self, until: Instant) -> Vec<Call> {
        while Instant::now() < until {
            let mut number = self.dice.below(100);
            for (wish, share) in WISHES {
                if number < share {
                    self.fulfil(wish);
                    break;
                }
                number -= share;
            }
        }
        self.history
    }

    fn now(&self) -> u128 {
        self.scene.begun.elapsed().as_micros()
    }

    /// Sends a request, and writes down what it means for a snapshot.
    fn call(
        &mut self,
        snapshot: &str,
        send: impl FnOnce(&Api) -> Reply,
        judge: impl FnOnce(&Reply) -> Kind,
    ) -> Reply {
        let (called, began) = (self.now(), clock());
        let reply = send(&self.api);
        let (returned, ended) = (self.now(), clock());
        assert!(reply.status < 500, "{}: {}", reply.status, reply.text());
        let kind = judge(&reply);
        self.history.push(Call {
            snapshot: snapshot.to_owned(),
            kind,
            called,
            returned,
            clock: (began, ended),
        });
        reply
    }

    fn id(&mut self) -> String {
        format!("id{}", self.dice.below(IDS))
    }

    fn remember(&mut self, reply: &Reply) {
        if let (200..300, Some(id)) = (reply.status, reply.json()["id"].as_str()) {
            let mut executions = self.scene.executions.lock().unwrap();
            if executions.len() >= REMEMBERED {
                let place = self.dice.below(REMEMBERED);
                executions.swap_remove(place);
            }
            executions.push(id.to_owned());
        }
    }

    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Create => self.create(),
            Wish::Upload => self.upload(true),
            Wish::UploadGarbage => self.upload(false),
            Wish::Delete => self.delete(),
            Wish::Get => {
                let id = self.id();
                self.call(
                    &id,
                    |api| api.get(&format!("snapshots/{id}")),
                    |reply| match reply.status {
                        200 => Kind::Seen(reply.json()["status"].as_str().unwrap().to_owned()),
                        _ => not_found(reply),
                    },
                );
            }
            Wish::List => self.list(),
            Wish::Download => self.download(),
            Wish::Restore => self.restore(),
            Wish::Rollback => {
                let body = json!({ "queue": self.dice.chance(30) });
                let reply = self.call(
                    "",
                    |api| api.post("/service/rollback", &body),
                    |reply| match reply.status {
                        200 => Kind::Any,
                        _ => conflict(reply, true),
                    },
                );
                self.remember(&reply);
            }
            Wish::Cancel => self.cancel(),
            Wish::Capture => {
                let path = format!("/v2/flows/{}/captures", self.scene.flow);
                let reply = self.api.post(&path, &json!({}));
                // A restore refuses it by the rule, or keeps writers out.
                assert!([202, 409, 503].contains(&reply.status), "{}: {}", reply.status, reply.text());
            }
            Wish::Render => {
                let body = json!({ "subject": { "chart": { "id": self.scene.chart } } });
                self.api.post("/v1/snapshots", &body).expect(202);
            }
            Wish::ReadState => self.read_state(),
        }
    }

    fn create(&mut self) {
        let id = self.id();
        let queue = self.dice.chance(25);
        let body = json!({ "queue": queue, "include_flow_history": true });
        let reply = self.call(
            &id,
            |api| api.put(&format!("snapshots/{id}"), &body),
            |reply| match reply.status {
                201 => Kind::Created,
                409 => exists(reply),
                _ => {
                    assert!(!queue, "{}", reply.text());
                    conflict(reply, false)
                }
            },
        );
        self.remember(&reply);
    }

    fn upload(&mut self, is_good: bool) {
        let id = self.id();
        let archive = self.scene.archive;
        let bytes = if is_good { archive } else { &archive[..archive.len() / 2] };
        self.call(
            &id,
            |api| api.send_archive(&id, bytes),
            |reply| match reply.status {
                201 if is_good => {
                    assert_eq!(reply.json()["status"], "uploaded");
                    Kind::Uploaded
                }
                400 if !is_good => Kind::UploadRefused,
                _ => exists(reply),
            },
        );
    }

    fn delete(&mut self) {
        let id = self.id();
        self.call(
            &id,
            |api| api.delete(&format!("snapshots/{id}")),
            |reply| match reply.status {
                200 => Kind::Deleted(reply.json()["status"].as_str().unwrap().to_owned()),
                400 => {
                    reply.expect_error(400, "snapshot_action_error");
                    Kind::NotDeletable
                }
                _ => not_found(reply),
            },
        );
    }

    fn list(&mut self) {
        let (called, began) = (self.now(), clock());
        let items = self.api.get("snapshots").items();
        let (returned, ended) = (self.now(), clock());
        for number in 0..IDS {
            let id = format!("id{number}");
            let found = items.iter().find(|item| item["id"] == id);
            let kind = match found {
                Some(item) => Kind::Seen(item["status"].as_str().unwrap().to_owned()),
                None => Kind::NotFound,
            };
            self.history.push(Call { snapshot: id, kind, called, returned, clock: (began, ended) });
        }
    }

    fn download(&mut self) {
        let id = self.id();
        let reply = self.call(
            &id,
            |api| api.get(&format!("snapshots/{id}/archive")),
            |reply| match reply.status {
                200 => Kind::Downloaded,
                400 => {
                    reply.expect_error(400, "snapshot_action_error");
                    Kind::NotReady
                }
                _ => not_found(reply),
            },
        );
        if reply.status == 200 {
            let etag = reply.header("etag").trim_matches('"').to_owned();
            assert_eq!(
                etag,
                hex::encode(Sha256::digest(&reply.body)),
                "the archive is not the one that is named"
            );
        }
    }

    fn restore(&mut self) {
        // Mostly one that is there.
        let id =
            if self.dice.chance(70) { format!("base{}", self.dice.below(super::BASES)) } else { self.id() };
        let queue = self.dice.chance(30);
        let body = json!({ "force": true, "queue": queue });
        let path = format!("snapshots/{id}/restore");
        let reply = self.call(
            &id,
            |api| api.post(&path, &body),
            |reply| match reply.status {
                200 => Kind::Restoring,
                400 if reply.json()["error_code"] == "snapshot_action_error" => Kind::NotReady,
                400 => {
                    assert!(!queue, "{}", reply.text());
                    conflict(reply, true)
                }
                _ => not_found(reply),
            },
        );
        self.remember(&reply);
    }

    fn cancel(&mut self) {
        let chosen = {
            let executions = self.scene.executions.lock().unwrap();
            (!executions.is_empty()).then(|| self.dice.pick(&executions).clone())
        };
        let Some(id) = chosen else { return };
        let action = self.dice.pick(&["cancel", "force-cancel", "kill"]);
        let reply = self.api.post(&format!("executions/{id}"), &json!({ "action": action }));
        match reply.status {
            200 => {
                let status = reply.json()["status"].as_str().unwrap().to_owned();
                let is_over = ["terminated", "failed", "cancelled"].contains(&status.as_str());
                assert!(is_over || status.ends_with("cancelling"), "{}", reply.text());
            }
            _ => {
                reply.expect_error(400, "illegal_action_error");
            }
        }
    }

    /// Every list is of one state, before a swap or after it.
    fn read_state(&mut self) {
        let secrets = self.api.get("secrets").items();
        let keys: Vec<&str> = secrets.iter().map(|secret| secret["key"].as_str().unwrap()).collect();
        let base = keys.len() - 1;
        let wanted: Vec<String> = (0..=base).map(|number| format!("base{base}-{number}")).collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, wanted, "a list is of two states");
    }
}

fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn not_found(reply: &Reply) -> Kind {
    reply.expect_error(404, "not_found_error");
    Kind::NotFound
}

fn exists(reply: &Reply) -> Kind {
    reply.expect_error(409, "conflict_error");
    Kind::Exists
}

fn conflict(reply: &Reply, of_exclusive: bool) -> Kind {
    let body: Value = reply.expect(400);
    assert_eq!(body["error_code"], "existing_running_execution_error", "{body:#}");
    Kind::Conflict { of_exclusive }
}
