//! The whole story told with Python's cloudify-rest-client 4.3.3.
//!
//! The story itself is `tests/clients/rest_client_story.py`.

use crate::common_client::tell;
use crate::harness::python_rest_client;

#[test]
fn the_story_holds_with_the_old_rest_client() {
    tell("rest_client_story.py", python_rest_client);
}
