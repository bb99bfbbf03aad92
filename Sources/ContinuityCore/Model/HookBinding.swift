/// The stages of a run, in the order of DESIGN section 6 and of the reference plan.
package enum Stage: String, Codable, Hashable, Sendable, CaseIterable {
    case admit
    case preCheck = "pre_check"
    case demote, promote
    case dnsFlip = "dns_flip"
    case notify, verify
    case restart, rollback
}

/// Attaches a hook pack to a stage of a policy's runs.
package struct HookBinding: Codable, Hashable, Sendable {
    package enum Timing: String, Codable, Hashable, Sendable, CaseIterable {
        case before, after
    }

    package enum FailureResponse: String, Codable, Hashable, Sendable, CaseIterable {
        /// The run stops.
        case abort
        /// The failure is recorded and the run goes on.
        case `continue`
        /// What was done is undone, as far as it can be.
        case rollback
    }

    /// Where neither the policy nor a pack says more.
    package static let timeoutDefaultMs: Int64 = 1000

    package var stage: Stage
    package var timing: Timing
    package var pack: String
    package var timeoutMs: Int64
    /// Whether the policy names no timeout, so that the manifest's `wall_ms` is it.
    package var followsBudget: Bool?
    /// How many times a call that did not end well is repeated.
    package var retries: Int
    /// Lower goes first within the same stage and timing; equal ones as they stand in the file.
    package var order: Int64
    package var onFailure: FailureResponse
    package var configuration: [String: JSONValue]
    /// The notification channels that the operator grants to the pack.
    package var grantedChannels: [String]
    /// Everything that the operator grants, as it stands in the policy; `nil`: nothing.
    package var grant: JSONValue?
    /// Of script, manifest and grant when the configuration was loaded; `nil` outside `serve`.
    package var digests: HookDigests?
    /// From the pack's manifest: whether a call whose result is unknown may be made again.
    package var repeatable: Bool
    /// The pack's digest when the configuration was loaded; empty outside `serve`.
    package var packSHA256: String
    /// The digest that the operator pins the pack to, if any.
    package var pinnedSHA256: String?
    /// From the pack's manifest: whether it asks not to be called in drills.
    package var skippedInDrills: Bool?
    /// From the pack's manifest: `false`, it decides or checks and leaves nothing to be done again.
    /// `nil`: it acts.
    package var acts: Bool?

    var isAction: Bool { acts != false }

    package init(
        stage: Stage, timing: Timing = .before, pack: String,
        timeoutMs: Int64 = HookBinding.timeoutDefaultMs,
        retries: Int = 0, order: Int64 = 0, onFailure: FailureResponse = .abort,
        configuration: [String: JSONValue] = [:], grantedChannels: [String] = [],
        grant: JSONValue? = nil, digests: HookDigests? = nil, repeatable: Bool = false,
        packSHA256: String = "", pinnedSHA256: String? = nil, skippedInDrills: Bool? = nil,
        acts: Bool? = nil
    ) {
        self.stage = stage
        self.timing = timing
        self.pack = pack
        self.timeoutMs = timeoutMs
        self.retries = retries
        self.order = order
        self.onFailure = onFailure
        self.configuration = configuration
        self.grantedChannels = grantedChannels
        self.grant = grant
        self.digests = digests
        self.repeatable = repeatable
        self.packSHA256 = packSHA256
        self.pinnedSHA256 = pinnedSHA256
        self.skippedInDrills = skippedInDrills
        self.acts = acts
    }

    private enum CodingKeys: String, CodingKey {
        case stage, timing, pack
        case timeoutMs = "timeout_ms"
        case followsBudget = "follows_budget"
        case retries, order
        case onFailure = "on_failure"
        case configuration
        case grantedChannels = "granted_channels"
        case grant, digests, repeatable
        case packSHA256 = "pack_sha256"
        case pinnedSHA256 = "pinned_sha256"
        case skippedInDrills = "skipped_in_drills"
        case acts
    }
}

/// What exactly a hook call runs, and by whose leave: SHA-256 each, in hexadecimal.
package struct HookDigests: Codable, Hashable, Sendable {
    package var script: String
    package var manifest: String
    /// Of the grant's canonical JSON; `nil` when nothing is granted.
    package var grant: String?

    package init(script: String, manifest: String, grant: String?) {
        self.script = script
        self.manifest = manifest
        self.grant = grant
    }
}
