//! Creates while writers are at work: what is restored stood in the manager at one moment, in all of its parts at once.
//!
//! Each writer's log says between which two instants the state after each of its calls stood. What a snapshot shows of
//! every writer gives such a span; all of them, and the create's own, have to have an instant in common.

mod guests;
mod ring;
mod stories;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::harness::{Api, TestServer, eventually, gauge, now};
use guests::Guests;
use ring::Ring;
use stories::{PAIR_CALLS, Pairs, Plugins, Round, Story, Transfers};

/// Clients that transfer amounts.
const CLIENTS: usize = 3;
/// Calls of all writers that end between two steps of a create.
const CALLS_BETWEEN: usize = 6;

/// When each call was sent, and when its answer had come.
#[derive(Default)]
struct Log(Mutex<Vec<(Instant, Option<Instant>)>>);

/// From an instant to another; none where there is no end.
type Span = (Instant, Option<Instant>);

impl Log {
    fn sent(&self) {
        self.0.lock().unwrap().push((Instant::now(), None));
    }

    fn answered(&self) {
        self.0.lock().unwrap().last_mut().unwrap().1 = Some(Instant::now());
    }

    fn answered_count(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|call| call.1.is_some()).count()
    }

    /// In which span the state after so many calls can have stood.
    fn span(&self, calls: usize, begin: Instant) -> Span {
        let log = self.0.lock().unwrap();
        assert!(calls <= log.len(), "{calls} calls were never made");
        let from = calls.checked_sub(1).map_or(begin, |last| log[last].0);
        (from, log.get(calls).and_then(|next| next.1))
    }
}

/// Stops the writers when dropped, a failed claim included: the scope waits for its threads.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn tell(story: &Mutex<Box<dyn Story>>, api: &Api, log: &Log, stop: &AtomicBool) {
    for number in 1.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        log.sent();
        story.lock().unwrap().call(api, number);
        log.answered();
    }
}

/// Writes measurements that nothing else waits for.
fn measure(api: &Api, log: &Log, stop: &AtomicBool) {
    let began = now();
    for number in 1.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        log.sent();
        gauge(api, "beside", None, &[(began - i64::from(number), f64::from(number))]);
        log.answered();
    }
}

/// Whether some instant lies in a span of each.
fn have_an_instant_in_common(spans: &[Vec<Span>]) -> bool {
    let lies_in =
        |instant: Instant, span: &Span| span.0 <= instant && span.1.is_none_or(|end| instant <= end);
    // Where spans meet, they meet at the begin of one of them.
    spans
        .iter()
        .flatten()
        .any(|(begin, _)| spans.iter().all(|one| one.iter().any(|span| lies_in(*begin, span))))
}

#[test]
fn a_restored_state_stood_at_one_moment_whatever_was_written_meanwhile() {
    let first = TestServer::builder().stepping("collect:table").start();
    let api = first.api();
    let mut stories: Vec<Box<dyn Story>> = vec![
        Box::new(Round::new(&api)),
        Box::new(Pairs::new(&api)),
        Box::new(Plugins::new(&api)),
        Box::new(Guests::new(&api)),
        Box::new(Ring::new(&api)),
    ];
    for client in 0..CLIENTS {
        stories.push(Box::new(Transfers::new(&api, client)));
    }
    let stories: Vec<Mutex<Box<dyn Story>>> = stories.into_iter().map(Mutex::new).collect();
    let logs: Vec<Log> = stories.iter().map(|_| Log::default()).collect();
    let begin = Instant::now();
    let stop = AtomicBool::new(false);
    let answered = || logs.iter().map(Log::answered_count).sum::<usize>();

    let ids = ["one", "two", "three", "four"];
    let options = json!({ "include_metrics": true, "include_credentials": true });
    let mut creates = Vec::new();
    thread::scope(|scope| {
        let stopped = Stop(&stop);
        for (story, log) in stories.iter().zip(&logs) {
            let (api, stop) = (&api, &stop);
            scope.spawn(move || tell(story, api, log, stop));
        }
        eventually("every writer is at work", 60, || {
            logs.iter().all(|log| log.answered_count() > PAIR_CALLS).then_some(())
        });
        for id in ids {
            let sent = Instant::now();
            let execution = api.put(&format!("snapshots/{id}"), &options).expect(201);
            let path = format!("executions/{}", execution["id"].as_str().unwrap());
            let mut steps = 0;
            let ended = loop {
                let before = answered();
                eventually("writers go on while a create runs", 60, || {
                    (answered() >= before + CALLS_BETWEEN).then_some(())
                });
                steps += usize::from(first.step());
                let execution = api.get(&path).expect(200);
                if !execution["ended_at"].is_null() {
                    break execution;
                }
            };
            assert_eq!(ended["status"], "terminated", "{ended:#}");
            assert!(steps > 10, "a create is watched while it reads: {steps} steps");
            creates.push((sent, Some(Instant::now())));
        }
        drop(stopped);
    });

    let second = TestServer::builder().opening_archives_of(&first).start();
    let other = second.api();
    let mut last = vec![0; stories.len()];
    for (id, create) in ids.into_iter().zip(creates) {
        other.send_archive(id, &api.archive(id)).expect(201);
        let ended = other.restore_snapshot(id, &json!({ "force": true }));
        assert_eq!(ended["status"], "terminated", "{ended:#}");
        let mut spans = vec![vec![create]];
        for (number, story) in stories.iter().enumerate() {
            let story = story.lock().unwrap();
            let positions = story.positions(&other);
            println!("`{id}`: {}: after {positions:?} calls", story.name());
            spans.push(positions.iter().map(|calls| logs[number].span(*calls, begin)).collect());
            assert!(
                positions.iter().any(|calls| *calls >= last[number]),
                "`{id}`: {} went back",
                story.name()
            );
            last[number] = *positions.iter().min().unwrap();
        }
        assert!(have_an_instant_in_common(&spans), "`{id}` never stood as a whole: {spans:#?}");
    }
}

#[test]
fn writers_wait_while_the_parts_of_a_cut_are_taken_so_that_none_is_later_than_another() {
    let first = TestServer::builder().holding("cut:measurements").start();
    let api = first.api();
    let round: Mutex<Box<dyn Story>> = Mutex::new(Box::new(Round::new(&api)));
    let (log, beside, stop) = (Log::default(), Log::default(), AtomicBool::new(false));
    let begin = Instant::now();
    thread::scope(|scope| {
        let stopped = Stop(&stop);
        scope.spawn(|| tell(&round, &api, &log, &stop));
        scope.spawn(|| measure(&api, &beside, &stop));
        eventually("the round goes on", 60, || (log.answered_count() > 20).then_some(()));
        let held = api.put("snapshots/nightly", &json!({ "include_metrics": true })).expect(201);
        // The state is cut, and the measurements are not yet: these go on, and whoever waits for the state stands.
        eventually("the writers of the state wait", 60, || {
            let (stood, went) = (log.answered_count(), beside.answered_count());
            eventually("measurements are taken meanwhile", 60, || {
                (beside.answered_count() > went + 20).then_some(())
            });
            (log.answered_count() == stood).then_some(())
        });
        first.release();
        assert_eq!(api.wait_for_end(&held)["status"], "terminated");
        let stood = log.answered_count();
        eventually("the round goes on afterwards", 60, || (log.answered_count() > stood + 20).then_some(()));
        drop(stopped);
    });

    let second = TestServer::builder().opening_archives_of(&first).start();
    let other = second.api();
    other.send_archive("nightly", &api.archive("nightly")).expect(201);
    assert_eq!(other.restore_snapshot("nightly", &json!({ "force": true }))["status"], "terminated");
    let positions = round.lock().unwrap().positions(&other);
    let spans: Vec<Span> = positions.iter().map(|calls| log.span(*calls, begin)).collect();
    assert!(spans.iter().all(|(_, end)| end.is_some()), "the cut lies before what went on afterwards");
}
