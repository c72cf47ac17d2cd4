//! How long lists, pages and single records take where there are many.

use std::time::Instant;

use crate::seed::{self, Amounts};
use crate::service::{self, Service};

/// What is asked, and in which words the report says so. `{n}` is how many rows there are, `{half}` and `{deep}` the
/// offsets in the middle and near the end.
const CALLS: &[(&str, &str)] = &[
    ("snapshots, the first page of 100", "/snapshots?_size=100"),
    ("snapshots, the first page of 1000, as clients ask where they say nothing", "/snapshots"),
    ("snapshots, a page in the middle", "/snapshots?_size=100&_offset={half}"),
    ("snapshots, a page near the end", "/snapshots?_size=100&_offset={deep}"),
    ("snapshots, newest first", "/snapshots?_size=100&_sort=-created_at"),
    ("snapshots, newest first, in the middle", "/snapshots?_size=100&_sort=-created_at&_offset={half}"),
    ("snapshots of all tenants, in the middle", "/snapshots?_size=100&_offset={half}&_all_tenants=true"),
    ("snapshots with a status", "/snapshots?_size=100&status=failed"),
    ("snapshots, searched, few found", "/snapshots?_size=100&_search=nightly-0777"),
    ("snapshots, searched, all found", "/snapshots?_size=100&_search=nightly"),
    ("snapshots by id", "/snapshots?_size=100&_sort=id&_offset={half}"),
    ("snapshots by size", "/snapshots?_size=100&_sort=size_bytes"),
    ("one snapshot", "/snapshots/nightly-{number}"),
    ("executions, the first page of 100", "/executions?_size=100"),
    ("executions, the first page of 1000", "/executions"),
    ("executions, a page in the middle", "/executions?_size=100&_offset={half}"),
    (
        "executions with those of the system, first page",
        "/executions?_size=100&_include_system_workflows=true",
    ),
    (
        "executions with those of the system, in the middle",
        "/executions?_size=100&_offset={n}&_include_system_workflows=true",
    ),
    (
        "executions with those of the system, near the end",
        "/executions?_size=100&_offset={last}&_include_system_workflows=true",
    ),
    (
        "executions with those of the system, newest first, all tenants",
        "/executions?_size=100&_sort=-created_at&_include_system_workflows=true&_all_tenants=true",
    ),
    ("executions of one deployment", "/executions?_size=100&deployment_id=deployment-7"),
    ("executions with a status", "/executions?_size=100&status=started&_include_system_workflows=true"),
    (
        "executions, searched, few found",
        "/executions?_size=100&_search=deployment-777&_include_system_workflows=true",
    ),
    ("one execution", "/executions/{execution}"),
    ("events, the first page of 100", "/events?_size=100"),
    ("events, a page near the end", "/events?_size=100&_offset={deep}"),
    ("events of one execution, in the middle", "/events?_size=100&execution_id={execution}&_offset=5000"),
    ("blueprints, a page in the middle", "/blueprints?_size=100&_offset={half}&_include=id,created_at"),
    ("deployments, a page in the middle", "/deployments?_size=100&_offset={half}"),
    ("nodes, a page in the middle", "/nodes?_size=100&_offset={half}"),
    ("nodes of one deployment", "/nodes?_size=100&deployment_id=deployment-0&_offset=5000"),
    ("node instances, a page in the middle", "/node-instances?_size=100&_offset={half}"),
    ("node instances of one deployment", "/node-instances?_size=100&deployment_id=deployment-0&_offset=5000"),
    ("flows, the first page of 100", "/v2/flows?page%5Bsize%5D=100"),
    ("flows, a page in the middle", "/v2/flows?page%5Bsize%5D=100&page%5Bnumber%5D={half_page}"),
    ("flows, a page near the end", "/v2/flows?page%5Bsize%5D=100&page%5Bnumber%5D={deep_page}"),
    ("flows by name, in the middle", "/v2/flows?page%5Bsize%5D=100&page%5Bnumber%5D={half_page}&sort=name"),
    ("one flow", "/v2/flows/{flow}"),
    ("all hundred step snapshots of a flow", "/v2/flows/{flow}/snapshots"),
    ("one step snapshot", "/v2/flows/{flow}/snapshots/step_50"),
    ("captures, a page in the middle", "/v2/captures?page%5Bsize%5D=100&page%5Bnumber%5D={half_page}"),
    ("captures of one flow", "/v2/flows/{flow}/captures?page%5Bsize%5D=100"),
    ("chart snapshots, the first page of 100", "/v1/snapshots?length=100"),
    ("chart snapshots, a page in the middle", "/v1/snapshots?length=100&offset={half}"),
    ("chart snapshots, a page near the end", "/v1/snapshots?length=100&offset={deep}"),
    ("one chart snapshot", "/v1/snapshots/{chart_snapshot}"),
    ("metrics, the first page of 100", "/v1/metrics?length=100"),
    ("metrics, a page in the middle", "/v1/metrics?length=100&offset={half}"),
    ("metrics by a part of the name", "/v1/metrics?length=100&name=service-0777"),
];

/// Seeds and asks; prints the table.
pub fn measure(rows: usize, calls: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    service::prepare(folder.path())?;
    let amounts = Amounts {
        snapshots: rows,
        executions: rows,
        deployment_executions: rows,
        events: rows,
        blueprints: rows,
        deployments: rows,
        nodes: rows,
        node_instances: rows,
        flows: rows,
        step_snapshots: rows,
        captures: rows,
        chart_snapshots: rows,
        metrics: rows,
        ..Amounts::default()
    };
    seed::fill(folder.path(), &amounts)?;
    let service = Service::start(folder.path())?;
    println!("### Lists\n\n| What | median ms | p99 ms | Bytes of the answer |\n|---|--:|--:|--:|");
    let first = service.get("/executions?_size=1")?;
    let execution = first["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    for (what, path) in CALLS {
        let path = path
            .replace("{n}", &rows.to_string())
            .replace("{half}", &(rows / 2).to_string())
            .replace("{deep}", &(rows - rows / 100).to_string())
            .replace("{last}", &(2 * rows - rows / 100).to_string())
            .replace("{half_page}", &(rows / 200).to_string())
            .replace("{deep_page}", &(rows / 100 - 1).to_string())
            .replace("{flow}", &seed::flow_id(7))
            .replace("{chart_snapshot}", &(rows / 2).to_string())
            .replace("{number}", &format!("{:06}", rows / 3))
            .replace("{execution}", &execution);
        let mut took = Vec::with_capacity(calls);
        let mut bytes = 0;
        // The first one reads from the disk and prepares the statements.
        for number in 0..=calls {
            let begun = Instant::now();
            bytes = service.text(&path)?.len();
            if number > 0 {
                took.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
        took.sort_by(f64::total_cmp);
        let p99 = took[(took.len() * 99).div_ceil(100) - 1];
        println!("| {what} | {:.1} | {p99:.1} | {bytes} |", took[took.len() / 2]);
    }
    let (now, peak) = service.mebibytes()?;
    println!(
        "\n{rows} rows of each kind, {calls} calls each; the service held {now:.0} MiB after, {peak:.0} at its peak.\n"
    );
    service.stop()
}
