//! What is emitted: snapshots of a realistic form, and the steps to which they belong.

/// How many flows there are.
pub const FLOWS: usize = 4;
/// How many steps each has.
pub const STEPS_EACH: usize = 5;

/// A step of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub flow: String,
    pub step: String,
}

impl Place {
    /// The path of its snapshot, and what hangs below it.
    pub fn path(&self, rest: &str) -> String {
        format!("/v2/flows/{}/snapshots/{}{rest}", self.flow, self.step)
    }
}

/// The snapshot with this number: what a component that polls a source keeps, some 300 bytes.
pub fn snapshot(number: usize) -> String {
    let (page, day, second) = (number / 100, 1 + number % 28, number % 60);
    format!(
        r#"{{"version":3,"lastPolled":"2026-03-{day:02}T07:29:{second:02}.186Z","cursor":"eyJvZmZzZXQiOi{number:08}LCJzb3J0IjoidXBkYXRlZF9hdCJ9","page":{page},"pageSize":100,"processed":{number},"failed":0,"lastIds":["order-{number:08}","order-{page:08}"],"watermark":{{"updatedAt":"2026-03-{day:02}T07:28:{second:02}.004Z","id":{number}}}}}"#
    )
}

/// The places to which client number `client` of `clients` emits: its own ones where there are enough for all, as each
/// step has one runtime.
pub fn places_of(places: &[Place], client: usize, clients: usize) -> Vec<Place> {
    if clients >= places.len() {
        return vec![places[client % places.len()].clone()];
    }
    places.iter().skip(client).step_by(clients).cloned().collect()
}
