//! Writing in spite of maintenance: for calls that ask for it and may.

tokio::task_local! {
    static IS_ON: bool;
}

/// Runs `work` so that maintenance does not keep it from writing the manager's state.
pub async fn with<T>(work: impl Future<Output = T>) -> T {
    IS_ON.scope(true, work).await
}

/// Whether maintenance may be bypassed here.
pub(super) fn is_on() -> bool {
    IS_ON.try_with(|is_on| *is_on).unwrap_or(false)
}
