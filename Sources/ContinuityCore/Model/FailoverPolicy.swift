/// When and how a cluster may be moved.
package struct FailoverPolicy: Codable, Hashable, Sendable {
    package enum Strategy: String, Codable, Hashable, Sendable, CaseIterable {
        /// Moves by itself.
        case automatic
        /// Moves only when a person asks.
        case manual
        /// Moves by itself, and never without quorum, whatever `require_quorum` says.
        case quorumBased = "quorum_based"
        /// Moves only at an arranged time.
        case scheduled
    }

    /// What a dead service on a living host means.
    package enum ServiceFailureResponse: String, Codable, Hashable, Sendable, CaseIterable {
        case failover
        /// Start it again where it is first, `restart_attempts` times, then fail over.
        case restart
    }

    package var policyID: PolicyID
    package var name: String
    package var strategy: Strategy
    /// The deadline of a run, in seconds, counted from its request.
    package var maxFailoverTimeS: Int64
    package var requireQuorum: Bool
    /// The most preferred first. Regions that are not named come after those that are.
    package var regionPriority: [String]
    package var sitePriority: [String]
    /// How many data nodes must be healthy once the move is made, the new primary included.
    package var minHealthyNodes: Int
    package var detection: DetectionSettings
    package var lease: LeaseSettings
    /// The least time between two finished automatic runs, in seconds.
    package var cooldownS: Int64
    /// `nil`: moves that people ask for need nobody else.
    package var approvals: ApprovalPolicy?
    /// `nil`: the defaults.
    package var flap: FlapSettings?
    /// `nil`: no budget is kept.
    package var sloGuard: SLOGuard?
    /// `nil`: the defaults.
    package var switchover: HandoverSettings?
    /// For active/active clusters; `nil`: the defaults.
    package var weights: WeightSettings?
    package var freezeWindows: [FreezeWindow]
    /// How many seconds of data may be lost: a target that lags more is not eligible.
    package var rpoS: Int64
    /// How many seconds the service may be away: what a run's prediction is held against.
    package var rtoS: Int64
    package var onServiceFailure: ServiceFailureResponse
    package var restartAttempts: Int
    /// `nil`: ``RejoinPolicy/keep``.
    package var rejoin: RejoinPolicy?
    package var hooks: [HookBinding]
    package var metadata: [String: String]

    package init(
        policyID: PolicyID, name: String = "", strategy: Strategy = .automatic,
        maxFailoverTimeS: Int64 = 60, requireQuorum: Bool = true, regionPriority: [String] = [],
        sitePriority: [String] = [], minHealthyNodes: Int = 1,
        detection: DetectionSettings = .standard, lease: LeaseSettings? = nil,
        cooldownS: Int64 = 60, freezeWindows: [FreezeWindow] = [], rpoS: Int64 = 5,
        rtoS: Int64 = 3, onServiceFailure: ServiceFailureResponse = .failover,
        restartAttempts: Int = 1, hooks: [HookBinding] = [], metadata: [String: String] = [:]
    ) {
        self.policyID = policyID
        self.name = name
        self.strategy = strategy
        self.maxFailoverTimeS = maxFailoverTimeS
        self.requireQuorum = requireQuorum
        self.regionPriority = regionPriority
        self.sitePriority = sitePriority
        self.minHealthyNodes = minHealthyNodes
        self.detection = detection
        self.lease = lease ?? LeaseSettings(detection: detection)
        self.cooldownS = cooldownS
        self.freezeWindows = freezeWindows
        self.rpoS = rpoS
        self.rtoS = rtoS
        self.onServiceFailure = onServiceFailure
        self.restartAttempts = restartAttempts
        self.hooks = hooks
        self.metadata = metadata
    }

    package var handover: HandoverSettings { switchover ?? HandoverSettings() }

    /// Whether a move needs the voters' majority.
    package var needsQuorum: Bool { requireQuorum || strategy == .quorumBased }

    private enum CodingKeys: String, CodingKey {
        case policyID = "policy_id"
        case name, strategy
        case maxFailoverTimeS = "max_failover_time_s"
        case requireQuorum = "require_quorum"
        case regionPriority = "region_priority"
        case sitePriority = "site_priority"
        case minHealthyNodes = "min_healthy_nodes"
        case detection, lease
        case cooldownS = "cooldown_s"
        case approvals
        case flap
        case sloGuard = "slo_guard"
        case switchover
        case weights
        case freezeWindows = "freeze_windows"
        case rpoS = "rpo_s"
        case rtoS = "rto_s"
        case onServiceFailure = "on_service_failure"
        case restartAttempts = "restart_attempts"
        case rejoin, hooks, metadata
    }
}

/// What a rejoin may do with data of a node that the primary does not have.
package enum RejoinPolicy: String, Codable, Hashable, Sendable, CaseIterable {
    /// Nothing: a node that cannot come back as it is stays down until a person has looked.
    case ask
    /// It is taken out of the way and kept beside the new data. Where there is no room, as `ask`.
    case keep
    /// It is kept where there is room, and deleted where there is none.
    case discard
}

/// How silence becomes a failure.
package struct DetectionSettings: Codable, Hashable, Sendable {
    package enum Profile: String, Codable, Hashable, Sendable, CaseIterable {
        case lan, standard, relaxed
    }

    package var intervalMs: Int64
    /// Missed reports until a node is suspected.
    package var failureThreshold: Int64
    /// Good reports in a row until a failed node counts as healthy again.
    package var recoveryThreshold: Int64
    /// Spread of the interval in thousandths, so that agents do not report in step.
    package var jitterPermille: Int64

    package init(
        intervalMs: Int64, failureThreshold: Int64, recoveryThreshold: Int64 = 1,
        jitterPermille: Int64 = 100
    ) {
        self.intervalMs = intervalMs
        self.failureThreshold = failureThreshold
        self.recoveryThreshold = recoveryThreshold
        self.jitterPermille = jitterPermille
    }

    package static let lan = DetectionSettings(intervalMs: 250, failureThreshold: 4)
    package static let standard = DetectionSettings(intervalMs: 1000, failureThreshold: 3)
    package static let relaxed = DetectionSettings(
        intervalMs: 5000, failureThreshold: 3, recoveryThreshold: 2)

    package static func settings(for profile: Profile) -> DetectionSettings {
        switch profile {
        case .lan: .lan
        case .standard: .standard
        case .relaxed: .relaxed
        }
    }

    /// How long a node may be silent before it is suspected.
    package var silenceMs: Int64 { intervalMs *| failureThreshold }

    private enum CodingKeys: String, CodingKey {
        case intervalMs = "interval_ms"
        case failureThreshold = "failure_threshold"
        case recoveryThreshold = "recovery_threshold"
        case jitterPermille = "jitter_permille"
    }
}

/// For how long a primary may act without hearing from the orchestrator.
package struct LeaseSettings: Codable, Hashable, Sendable {
    /// The longest that a policy may ask for.
    package static let longestMs: Int64 = 600_000

    package var durationMs: Int64
    /// What the orchestrator waits on top, for clocks that run at different speeds and for the
    /// time that the agent needs to stop the service.
    package var marginMs: Int64

    package init(durationMs: Int64, marginMs: Int64) {
        self.durationMs = durationMs
        self.marginMs = marginMs
    }

    /// As long as silence is tolerated: then the lease has run out soon after the failure is
    /// certain, and no earlier than a short disturbance needs to pass.
    package init(detection: DetectionSettings) {
        self.init(durationMs: detection.silenceMs, marginMs: max(100, detection.silenceMs / 10))
    }

    private enum CodingKeys: String, CodingKey {
        case durationMs = "duration_ms"
        case marginMs = "margin_ms"
    }
}

/// A time in which nothing moves by itself.
package struct FreezeWindow: Codable, Hashable, Sendable {
    /// UTC milliseconds since 1970; the window includes its start and excludes its end.
    package var fromMs: Int64
    package var untilMs: Int64
    package var reason: String

    package init(fromMs: Int64, untilMs: Int64, reason: String) {
        self.fromMs = fromMs
        self.untilMs = untilMs
        self.reason = reason
    }

    package func contains(utcMs: Int64) -> Bool { fromMs <= utcMs && utcMs < untilMs }

    private enum CodingKeys: String, CodingKey {
        case fromMs = "from_ms"
        case untilMs = "until_ms"
        case reason
    }
}
