//! `cfy secrets`, with their files and their providers.

use std::fs;

use serde_json::json;

use super::Sweep;

/// What a community edition answers to what is of the premium edition.
const COMMUNITY: &[&str] = &["404", "community edition"];

pub(super) fn sweep(sweep: &mut Sweep) {
    fs::write(sweep.shell.home().join("secret.txt"), "from a file").unwrap();
    fs::write(sweep.shell.home().join("map.json"), r#"{"default_tenant": "north"}"#).unwrap();
    sweep.succeed(&[
        ("secrets create oil -s whales -l private -t default_tenant", &["Secret `oil` created"]),
        ("secrets create oil -s 'whales and more' --update-if-exists", &["Secret `oil` created"]),
        ("secrets create filed -f secret.txt --hidden-value", &["Secret `filed` created"]),
        ("secrets get oil -t default_tenant", &["whales and more", "private"]),
        (
            "secrets update oil -s seeds --not-hidden-value -l tenant -t default_tenant",
            &["Secret `oil` updated"],
        ),
        ("secrets update filed -f secret.txt --hidden-value", &["Secret `filed` updated"]),
        ("secrets set-visibility oil -l tenant -t default_tenant", &[]),
        ("secrets set-global oil", &["was set to global"]),
        ("secrets set-owner oil -s keeper -t default_tenant", &["now owned by user `keeper`"]),
        (
            "secrets export -p 'lamp oil and more' -o sealed.json -l global -t default_tenant",
            &["saved to sealed.json"],
        ),
        ("secrets export --non-encrypted -o clear.json --filter-by filed", &["saved to clear.json"]),
        ("secrets export --non-encrypted -o all.json --all-tenants", &["saved to all.json"]),
        ("secrets delete filed -t default_tenant", &["Secret removed"]),
        ("secrets import -i clear.json --non-encrypted", &["imported"]),
        ("secrets import -i sealed.json -p 'lamp oil and more' --override-collisions", &["overridden"]),
        ("secrets import -i clear.json --non-encrypted -m map.json", &["imported"]),
        // Refusals that `cfy` tells without saying so by its code.
        ("secrets get none", &["not found"]),
        ("secrets delete none", &["not found"]),
        ("secrets set-global none", &["not found"]),
        ("secrets set-visibility none -l global", &["not found"]),
        ("secrets update none -s x", &["not found"]),
    ]);
    sweep.lists("secrets list", "", "key");
    for (id, key, expected) in [
        ("oil", "value", json!("seeds")),
        ("oil", "visibility", json!("global")),
        ("oil", "created_by", json!("keeper")),
        ("filed", "value", json!("from a file")),
        ("filed", "is_hidden_value", json!(true)),
    ] {
        let found = sweep.get(&format!("secrets/{id}"))[key].clone();
        sweep.claim(&format!("`{key}` of the secret `{id}` is {expected}, not {found}"), found == expected);
    }
    let carried = sweep.api.clone().tenant("north").get("secrets/filed").status;
    sweep.claim("the secret came to the tenant that the map names", carried == 200);
    let clear = fs::read_to_string(sweep.shell.home().join("clear.json")).unwrap_or_default();
    sweep.claim("one key was exported", clear.contains("from a file") && !clear.contains("seeds"));
    sweep.refused(&[
        ("secrets create oil -s again", &["409", "already exists"]),
        ("secrets create oil", &["Missing option"]),
        ("secrets set-owner oil -s nobody", &["404", "nobody"]),
        ("secrets import -i clear.json", &[]),
        ("secrets providers list", COMMUNITY),
    ]);
}
