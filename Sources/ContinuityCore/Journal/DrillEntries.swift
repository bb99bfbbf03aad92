import FoundationEssentials

/// A drill begins. `run` has the shape of a real request; nothing is moved by it.
package struct DrillStarted: Codable, Hashable, Sendable {
    package var scenario: DrillScenario
    package var run: RunRequested
    package var heldBy: Hold?
    /// Where the earnest case would take another way; `nil`: nowhere, or an older entry.
    package var caveats: [String]?

    package init(
        scenario: DrillScenario, run: RunRequested, heldBy: Hold?, caveats: [String] = []
    ) {
        self.scenario = scenario
        self.run = run
        self.heldBy = heldBy
        self.caveats = caveats.isEmpty ? nil : caveats
    }

    private enum CodingKeys: String, CodingKey {
        case scenario, run
        case heldBy = "held_by"
        case caveats
    }
}

/// What would stand in the journal, had it been in earnest: an entry within an entry, so that
/// nothing in a drill can be taken for the real thing.
package struct DrillStep: Codable, Sendable {
    package var drillID: RunID
    package var step: JournalBody

    package init(drillID: RunID, step: JournalBody) {
        self.drillID = drillID
        self.step = step
    }

    private enum CodingKeys: String, CodingKey {
        case drillID = "drill_id"
        case kind, body
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        drillID = try container.decode(RunID.self, forKey: .drillID)
        let body = try container.decode(JSONValue.self, forKey: .body)
        step = try JournalBody.decode(
            kind: container.decode(String.self, forKey: .kind), Data(CanonicalJSON.bytes(body)))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(drillID, forKey: .drillID)
        try container.encode(step.kind, forKey: .kind)
        try container.encode(step.json(), forKey: .body)
    }
}

/// A drill has ended; the whole report stands here.
package struct DrillFinished: Codable, Hashable, Sendable {
    package var report: DrillReport

    package init(report: DrillReport) { self.report = report }
}

/// The packs that `serve` uses were read anew.
package struct HookPacksChanged: Codable, Hashable, Sendable {
    package struct Change: Codable, Hashable, Sendable {
        package var pack: String
        /// `nil`: the pack is new.
        package var fromSHA256: String?
        /// `nil`: the pack is gone.
        package var toSHA256: String?

        package init(pack: String, fromSHA256: String?, toSHA256: String?) {
            self.pack = pack
            self.fromSHA256 = fromSHA256
            self.toSHA256 = toSHA256
        }

        private enum CodingKeys: String, CodingKey {
            case pack
            case fromSHA256 = "from_sha256"
            case toSHA256 = "to_sha256"
        }
    }

    /// A pack that stays as it was, and why.
    package struct Rejection: Codable, Hashable, Sendable {
        package var pack: String
        package var reason: String

        package init(pack: String, reason: String) {
            self.pack = pack
            self.reason = reason
        }
    }

    package var changes: [Change]
    package var rejected: [Rejection]

    package init(changes: [Change], rejected: [Rejection]) {
        self.changes = changes
        self.rejected = rejected
    }
}
