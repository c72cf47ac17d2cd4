//! The same archive sent and taken by Lifeboat and by nginx.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::nginx::Nginx;
use crate::report::Table;
use crate::service::Service;

/// Sends and takes in turns; prints the tables.
///
/// An upload to Lifeboat ends when the archive was read, judged, hashed and made durable; one to nginx when it is written.
pub fn measure(folder: &Path, archive: &Path, rounds: usize) -> anyhow::Result<()> {
    let root = folder.join("service");
    fs::create_dir_all(&root)?;
    let service = Service::start(&root)?;
    let nginx = Nginx::start(&folder.join("nginx"))?;
    let length = fs::metadata(archive)?.len();
    let names = || {
        let ours = "Lifeboat".to_owned();
        [Some(ours), nginx.as_ref().map(|_| "nginx".to_owned())].into_iter().flatten()
    };
    let (mut sent, mut taken) = (Table::named("Downloaded", names()), Table::named("Uploaded", names()));
    let target = folder.join("received");
    for round in 0..rounds {
        let id = format!("round-{round}");
        let begun = Instant::now();
        service.upload(&format!("/snapshots/{id}/archive"), File::open(archive)?)?;
        taken.add(0, begun.elapsed(), 0.0, length);
        if let Some(nginx) = &nginx {
            let begun = Instant::now();
            nginx.upload(&id, archive)?;
            taken.add(1, begun.elapsed(), 0.0, length);
        }
        let begun = Instant::now();
        service.download(&format!("/snapshots/{id}/archive"), &target)?;
        sent.add(0, begun.elapsed(), 0.0, length);
        if let Some(nginx) = &nginx {
            let begun = Instant::now();
            nginx.download(&id, &target)?;
            sent.add(1, begun.elapsed(), 0.0, length);
        }
        service.send("DELETE", &format!("/snapshots/{id}"), &json!({}))?;
    }
    sent.print(length, false);
    taken.print(length, false);
    service.stop()
}
