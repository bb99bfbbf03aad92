extension JournalBody {
    /// Every kind of entry that this version writes or reads.
    package static let kinds: [String] = [
        "leadership_started", "former_leases_ended", "lease_outlived", "promise_rule_known",
        "lease_obeyed", "cluster_configured", "cluster_released",
        "node_status_changed", "cluster_state_changed", "hold_changed", "run_requested",
        "run_replanned",
        "run_admitted", "operation_intended", "hook_effect_intended", "operation_finished",
        "lease_awaited", "fence_proven", "primary_changed", "rollback_started", "run_verified",
        "run_finished", "alert_queued", "alert_delivered", "alert_dead", "drill_started",
        "drill_step", "drill_finished", "hook_packs_changed", "checkpoint_signed",
        "entry_redacted", "witness_alarmed", "journal_restored", "fleet_configured",
        "brake_latched", "brake_cleared", "weights_shifted", "move_scheduled", "schedule_held",
        "schedule_ended", "cluster_quarantined", "quarantine_ended", "pause_started",
        "pause_ended", "maintenance_started",
        "maintenance_ended", "approval_requested", "approval_given", "approval_ended",
        "review_opened", "review_closed", "token_created", "token_revoked", "token_claimed",
        "login_refused", "credential_used", "hook_left_undone", "hook_settled",
    ]
}
