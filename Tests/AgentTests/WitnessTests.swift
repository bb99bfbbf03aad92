import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import Foundation
import Testing

@testable import ContinuityAgent

/// A real agent that is shown checkpoints over HTTP.
@Suite(.serialized) struct WitnessTests {
    private static let digest = ContentDigest { SHA256.digest($0) }
    private static let key = Ed25519.PrivateKey()

    private func chain(_ count: Int, actor: String = "test") -> [JournalEntry] {
        var head = JournalHead.empty
        return (1...count).map { number in
            let entry = JournalEntry(
                after: head, epoch: 1, atMs: Int64(number), actor: actor, clusterID: nil,
                kind: "test", body: Array("{}".utf8), digest: Self.digest)
            head = JournalHead(seq: entry.seq, hash: entry.hash)
            return entry
        }
    }

    private func checkpoint(
        _ entry: JournalEntry, key: Ed25519.PrivateKey = WitnessTests.key
    ) -> Checkpoint {
        let head = JournalHead(seq: entry.seq, hash: entry.hash)
        return Checkpoint(
            seq: entry.seq, hash: entry.hash, keyID: key.publicKey.id,
            signature: hexString(key.sign(Checkpoint.message(head))))
    }

    private func records(_ service: StandInService) throws -> [WitnessRecord] {
        try String(contentsOfFile: service.stateFile + ".witness", encoding: .utf8)
            .split(separator: "\n")
            .map { try JSONDecoder().decode(WitnessRecord.self, from: Data($0.utf8)) }
    }

    private func run(
        _ service: StandInService, _ body: @Sendable (Harness) async throws -> Void
    ) async throws {
        try await Harness.run(
            service: service,
            configure: { configuration, _ in
                configuration.auditPublicKey = WitnessTests.key.publicKey
            }, body: body)
    }

    @Test func itKeepsWhatIsProvenAndAlarmsOnAFork() async throws {
        let service = try StandInService()
        let chain = chain(12)
        let other = self.chain(12, actor: "rewritten")
        try await run(service) { harness in
            harness.orchestrator.show(chain.map(ChainLink.init(of:)))
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(chain[3]) }
            try await harness.reported("entry 4") { $0.witness?.seq == 4 }
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(chain[8]) }
            try await harness.reported("entry 9") {
                $0.witness == WitnessState(seq: 9, hash: chain[8].hash)
            }
            // The keeper rewrites everything and signs it: no checkpoint extends the last one.
            harness.orchestrator.show(other.map(ChainLink.init(of:)))
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(other[11]) }
            try await harness.reported("a fork") {
                $0.witness?.alarm?.hasPrefix("fork") == true && $0.witness?.seq == 9
            }
            let health = try await harness.get("/health")
            #expect(String(decoding: health.body, as: UTF8.self).contains(#""alarm":"fork"#))
        }
        let kept = try records(service)
        #expect(kept.map(\.checkpoint.seq) == [4, 9, 12])
        #expect(kept.map { $0.alarm == nil } == [true, true, false])
        // It does not forget by being started again.
        try await run(service) { harness in
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(chain[8]) }
            try await harness.reported("the same fork") {
                $0.witness?.alarm?.hasPrefix("fork") == true
            }
        }
    }

    @Test func itAlarmsOnARewindAndOnAForeignKey() async throws {
        let service = try StandInService()
        let chain = chain(9)
        try await run(service) { harness in
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(chain[8]) }
            try await harness.reported("entry 9") { $0.witness?.seq == 9 }
            harness.orchestrator.answer { $0.checkpoint = self.checkpoint(chain[4]) }
            try await harness.reported("a rewind") {
                $0.witness?.alarm?.hasPrefix("rewind") == true
            }
        }
        try await run(try StandInService()) { harness in
            let foreign = self.checkpoint(chain[8], key: Ed25519.PrivateKey())
            harness.orchestrator.answer { $0.checkpoint = foreign }
            try await harness.reported("a wrong signature") {
                $0.witness?.alarm?.hasPrefix("signature") == true
            }
        }
    }

    /// What a crash leaves behind was never relied on; a line that was whole was.
    @Test func aTornLineIsDroppedAndADamagedOneRefused() throws {
        let service = try StandInService()
        let path = service.stateFile + ".witness"
        let record = WitnessRecord(nodeID: "n1", atMs: 1, checkpoint: checkpoint(chain(3)[2]))
        let line = String(decoding: try CanonicalJSON.bytes(encoding: record), as: UTF8.self)
        try (line + "\n" + line.prefix(40)).write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(try WitnessLog.open(path: path).records == [record])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == line + "\n")
        try (line.prefix(40) + "\n" + line + "\n").write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: StateFileError.self) { try WitnessLog.open(path: path) }
    }

    /// A voter without a service: it reports, denies promises, and has nothing to be ordered.
    @Test func anAgentWithoutAServiceReportsAndVotes() async throws {
        try await Harness.run { configuration, _ in
            configuration.service = nil
            configuration.commands = [:]
        } body: { harness in
            try await harness.reported("a witness") {
                $0.service.state == .unknown && $0.service.role == .unknown
                    && $0.service.detail == "a witness has no service"
            }
            for name in AgentCommand.Name.allCases where name != .status && name != .own {
                let result = try await harness.order(name)
                #expect(result.outcome == .refused, "\(name): \(result.detail)")
                #expect(result.detail.contains("role is witness"))
            }
            let denial = try await harness.order(.status) {
                $0.deniesPromisesTo = "n2"
                $0.deniesPromisesMs = 1000
            }
            #expect(denial.outcome == .succeeded && denial.deniedPromisesTo == "n2")
            #expect(try await harness.get("/primary").status == 503)
            #expect(try await harness.get("/health").status == 200)
        }
    }
}
