/// The version of this program, and the formats that it keeps on disk and on the wire.
///
/// A format's number grows when an older program would misread what a newer one writes. A member
/// that an older program may ignore changes nothing. Every format that was ever released is read.
package enum ProductVersion {
    /// Semantic Versioning; CHANGELOG.md says what each one brought.
    package static let number = "0.9.0"

    /// A stored or sent format: what this program writes, and what it reads.
    package struct Format: Hashable, Sendable {
        package let name: String
        package let writes: Int64
        package let reads: ClosedRange<Int64>
    }

    /// Entries of the journal: `body_format` of its `leadership_started`.
    package static let journal = Format(
        name: "journal", writes: LeadershipStarted.committedFormat,
        reads: 1...LeadershipStarted.committedFormat)
    /// The agent's state file: its member `format`; without one it is 1.
    package static let agentState = Format(name: "agent_state", writes: 1, reads: 1...1)
    /// Reports, orders and results between `serve` and agents: the `v1` of their paths.
    package static let agentProtocol = Format(name: "agent_protocol", writes: 1, reads: 1...1)
    /// Hook packs: `api: hooks/v1` of their manifests.
    package static let hooks = Format(name: "hooks", writes: 1, reads: 1...1)

    package static let formats = [journal, agentState, agentProtocol, hooks]
}
