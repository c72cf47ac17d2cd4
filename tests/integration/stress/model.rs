//! What may be answered: each snapshot's id is a small machine, and every answer needs a moment between its call and its
//! return at which the machine can give it.
//!
//! The check is the one of Wing and Gong in Lowe's form: it follows the history and keeps all configurations (the state of
//! the machine, and which of the calls under way have taken effect) that explain what was seen so far.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What a caller asked of one snapshot, and what the answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 201
    Created,
    /// 201
    Uploaded,
    /// 400 for what is no archive
    UploadRefused,
    /// 409
    Exists,
    /// 200 to a delete, with the status of the record
    Deleted(String),
    /// 404
    NotFound,
    /// 400 because it is in use or not ready: a delete
    NotDeletable,
    /// 400 because it is not ready: a download or a restore
    NotReady,
    /// 200 with this status
    Seen(String),
    /// 200 with bytes
    Downloaded,
    /// 200 to a restore
    Restoring,
    /// 400 because of what is active
    Conflict {
        /// Whether the caller asked for a restore or a rollback.
        of_exclusive: bool,
    },
    /// An answer that any state allows.
    Any,
}

/// One call with its times in microseconds since the beginning.
#[derive(Clone, Debug)]
pub struct Call {
    pub snapshot: String,
    pub kind: Kind,
    pub called: u128,
    pub returned: u128,
    /// The same by the clock, in milliseconds since 1970.
    pub clock: (i64, i64),
}

/// How often each kind of answer came.
pub fn tally(history: &[Call]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for call in history {
        let name = match &call.kind {
            Kind::Deleted(_) => "Deleted".to_owned(),
            other => format!("{other:?}"),
        };
        *tally.entry(name).or_default() += 1;
    }
    tally
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Status {
    Absent,
    Creating,
    /// Created, while its execution has not ended yet.
    CreatedBusy,
    Created,
    Failed,
    Uploading,
    Uploaded,
}

impl Status {
    fn shown(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::CreatedBusy | Self::Created => "created",
            Self::Failed => "failed",
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
        }
    }

    fn has_archive(self) -> bool {
        matches!(self, Self::CreatedBusy | Self::Created | Self::Uploaded)
    }
}

/// How far a call under way is: uploads take effect twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Effect {
    None,
    Begun,
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Configuration {
    status: Status,
    /// Executions that use the snapshot and have not ended.
    users: u8,
    under_way: BTreeMap<usize, Effect>,
}

/// What a call can do to the machine from here: the next states, each with how far the call is then.
fn effects(kind: &Kind, effect: Effect, status: Status, users: u8) -> Option<(Status, u8, Effect)> {
    let here = (status, users, Effect::Whole);
    let when = |is_allowed: bool| is_allowed.then_some(here);
    match (kind, effect) {
        (_, Effect::Whole) => None,
        (Kind::Uploaded | Kind::UploadRefused, Effect::None) => {
            (status == Status::Absent).then_some((Status::Uploading, users, Effect::Begun))
        }
        (Kind::Uploaded, Effect::Begun) => Some((Status::Uploaded, users, Effect::Whole)),
        (Kind::UploadRefused, Effect::Begun) => Some((Status::Absent, users, Effect::Whole)),
        (_, Effect::Begun) => None,
        (Kind::Created, _) => (status == Status::Absent).then_some((Status::Creating, users, Effect::Whole)),
        (Kind::Exists, _) => when(status != Status::Absent),
        (Kind::Deleted(shown), _) => {
            let is_free = users == 0
                && matches!(status, Status::Created | Status::Failed | Status::Uploaded)
                && status.shown() == shown;
            is_free.then_some((Status::Absent, users, Effect::Whole))
        }
        (Kind::NotFound, _) => when(status == Status::Absent),
        (Kind::NotDeletable, _) => {
            when(users > 0 || matches!(status, Status::Creating | Status::CreatedBusy | Status::Uploading))
        }
        (Kind::NotReady, _) => when(matches!(status, Status::Creating | Status::Uploading | Status::Failed)),
        (Kind::Seen(shown), _) => when(status.shown() == shown),
        (Kind::Downloaded, _) => when(status.has_archive()),
        (Kind::Restoring, _) => status.has_archive().then_some((status, users + 1, Effect::Whole)),
        (Kind::Conflict { .. } | Kind::Any, _) => Some(here),
    }
}

/// What happens by itself: jobs end.
fn by_itself(status: Status, users: u8) -> Vec<(Status, u8)> {
    let mut next = match status {
        Status::Creating => vec![(Status::CreatedBusy, users), (Status::Failed, users)],
        Status::CreatedBusy => vec![(Status::Created, users)],
        _ => Vec::new(),
    };
    if users > 0 {
        next.push((status, users - 1));
    }
    next
}

/// All that can have happened without another call or return.
fn closure(configurations: HashSet<Configuration>, calls: &[&Call]) -> HashSet<Configuration> {
    let mut all = configurations.clone();
    let mut fresh: Vec<Configuration> = configurations.into_iter().collect();
    while let Some(configuration) = fresh.pop() {
        let mut next = Vec::new();
        for (status, users) in by_itself(configuration.status, configuration.users) {
            next.push(Configuration { status, users, ..configuration.clone() });
        }
        for (&call, &effect) in &configuration.under_way {
            let kind = &calls[call].kind;
            if let Some((status, users, effect)) =
                effects(kind, effect, configuration.status, configuration.users)
            {
                let mut under_way = configuration.under_way.clone();
                under_way.insert(call, effect);
                next.push(Configuration { status, users, under_way });
            }
        }
        for configuration in next {
            if all.insert(configuration.clone()) {
                fresh.push(configuration);
            }
        }
    }
    all
}

/// Panics where a snapshot's history can't be explained, with what is around the answer that can't be.
pub fn check(history: &[Call]) {
    let snapshots: BTreeSet<&str> =
        history.iter().map(|call| call.snapshot.as_str()).filter(|id| !id.is_empty()).collect();
    for snapshot in snapshots {
        let mut calls: Vec<&Call> = history.iter().filter(|call| call.snapshot == snapshot).collect();
        calls.sort_by_key(|call| call.called);
        check_one(snapshot, &calls).unwrap_or_else(|reason| panic!("{reason}"));
    }
}

fn check_one(snapshot: &str, calls: &[&Call]) -> Result<(), String> {
    // Calls before returns at the same moment: that only allows more.
    let mut moments: Vec<(u128, bool, usize)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        moments.push((call.called, false, number));
        moments.push((call.returned, true, number));
    }
    moments.sort_unstable();
    let begin = if snapshot.starts_with("base") { Status::Created } else { Status::Absent };
    let mut possible = HashSet::from([Configuration { status: begin, users: 0, under_way: BTreeMap::new() }]);
    for (_, is_return, number) in moments {
        let before = possible.clone();
        if is_return {
            possible = possible
                .into_iter()
                .filter_map(|mut configuration| {
                    (configuration.under_way.remove(&number) == Some(Effect::Whole)).then_some(configuration)
                })
                .collect();
        } else {
            for mut configuration in std::mem::take(&mut possible) {
                configuration.under_way.insert(number, Effect::None);
                possible.insert(configuration);
            }
        }
        if possible.is_empty() {
            let call = calls[number];
            let around: Vec<_> = calls
                .iter()
                .filter(|other| other.returned + 2_000_000 >= call.called && other.called <= call.returned)
                .collect();
            let states: BTreeSet<_> =
                before.iter().map(|configuration| (configuration.status, configuration.users)).collect();
            return Err(format!(
                "`{snapshot}`: {call:?} can't be explained from {states:?} after\n{around:#?}"
            ));
        }
        possible = closure(possible, calls);
    }
    Ok(())
}

#[test]
fn the_model_refuses_what_can_t_be() {
    let call = |kind: Kind, called: u128, returned: u128| Call {
        snapshot: "x".to_owned(),
        kind,
        called,
        returned,
        clock: (0, 0),
    };
    let seen = |status: &str| Kind::Seen(status.to_owned());
    let deleted = |status: &str| Kind::Deleted(status.to_owned());
    let good = [
        call(Kind::NotFound, 0, 1),
        call(Kind::Created, 2, 9),
        call(seen("creating"), 3, 4),
        call(seen("created"), 5, 6),
        call(Kind::NotDeletable, 7, 8),
        call(deleted("created"), 10, 12),
        call(Kind::Uploaded, 11, 20),
        call(seen("uploading"), 13, 14),
        call(Kind::Exists, 15, 16),
    ];
    let explained = |calls: &[Call]| check_one("x", &calls.iter().collect::<Vec<_>>()).is_ok();
    assert!(explained(&good));
    for bad in [
        vec![call(Kind::Created, 0, 1), call(Kind::Created, 2, 3)],
        vec![call(Kind::Created, 0, 1), call(Kind::NotFound, 2, 3)],
        vec![call(Kind::Created, 0, 1), call(seen("created"), 2, 3), call(seen("creating"), 4, 5)],
        vec![call(Kind::Uploaded, 0, 1), call(deleted("uploaded"), 2, 3), call(Kind::Downloaded, 4, 5)],
        vec![call(Kind::Uploaded, 0, 1), call(Kind::NotDeletable, 2, 3)],
        vec![call(Kind::UploadRefused, 0, 1), call(seen("failed"), 2, 3)],
    ] {
        assert!(!explained(&bad), "{bad:#?}");
    }
}
