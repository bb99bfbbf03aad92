import ContinuityCore
import Testing

/// How a witness judges what it is shown.
@Suite struct WitnessTests {
    private static func chain(_ count: Int, actor: String = "test") -> [JournalEntry] {
        var head = JournalHead.empty
        return (1...count).map { number in
            let entry = JournalEntry(
                after: head, epoch: 1, atMs: Int64(number), actor: actor, clusterID: nil,
                kind: "test", body: Array("{}".utf8), digest: .real)
            head = JournalHead(seq: entry.seq, hash: entry.hash)
            return entry
        }
    }

    private func checkpoint(_ entry: JournalEntry) -> Checkpoint {
        Checkpoint(seq: entry.seq, hash: entry.hash, keyID: "k", signature: "")
    }

    private func links(_ entries: some Sequence<JournalEntry>) -> [ChainLink] {
        entries.map(ChainLink.init(of:))
    }

    @Test func itTakesWhatExtendsTheLastAndIsProven() {
        let chain = Self.chain(9)
        var witness = Witness()
        #expect(witness.hear(nil, stated: nil) == .nothing)
        #expect(witness.hear(checkpoint(chain[2]), stated: nil) == .take)
        #expect(witness.hear(checkpoint(chain[2]), stated: witness.state) == .nothing)
        #expect(witness.hear(checkpoint(chain[7]), stated: witness.state) == .prove(after: 3))
        let step = witness.prove(
            checkpoint(chain[7]), by: links(chain[3...7]), digest: .real)
        #expect(step == .take)
        #expect(witness.state == WitnessState(seq: 8, hash: chain[7].hash))
        // A late answer to a report from before is none of its business.
        #expect(
            witness.hear(checkpoint(chain[2]), stated: nil) == .nothing)
    }

    @Test func itFindsForksAndRewinds() {
        let chain = Self.chain(9)
        let other = Self.chain(9, actor: "rewritten")
        func taken() -> Witness {
            var witness = Witness()
            _ = witness.hear(checkpoint(chain[4]), stated: nil)
            return witness
        }
        func isAlarm(_ step: Witness.Step, _ word: String) -> Bool {
            if case .alarm(let finding) = step { finding.hasPrefix(word) } else { false }
        }
        var witness = taken()
        #expect(isAlarm(witness.hear(checkpoint(chain[2]), stated: witness.state), "rewind"))
        // Nothing is taken after an alarm, whatever is shown.
        #expect(witness.hear(checkpoint(chain[4]), stated: witness.state) == .nothing)
        witness = taken()
        #expect(isAlarm(witness.hear(nil, stated: witness.state), "rewind"))
        witness = taken()
        #expect(isAlarm(witness.hear(checkpoint(other[4]), stated: witness.state), "fork"))
        witness = taken()
        #expect(witness.hear(checkpoint(other[7]), stated: witness.state) == .prove(after: 5))
        #expect(
            isAlarm(
                witness.prove(checkpoint(other[7]), by: links(other[5...7]), digest: .real), "fork")
        )
        witness = taken()
        _ = witness.prove(checkpoint(chain[8]), by: links(chain[5...8]), digest: .real)
        let kept = WitnessState(seq: 7, hash: other[6].hash)
        #expect(isAlarm(witness.compare(with: kept, of: "node-2"), "fork"))
    }

    @Test func itsFileBringsItBack() {
        let chain = Self.chain(3)
        let records = chain.map {
            WitnessRecord(nodeID: "node-1", atMs: 0, checkpoint: checkpoint($0))
        }
        #expect(Witness(records: records).state?.seq == 3)
        let alarmed = Witness(
            records: records + [
                WitnessRecord(
                    nodeID: "node-1", atMs: 0, checkpoint: checkpoint(chain[0]), alarm: "fork")
            ])
        #expect(alarmed.state == WitnessState(seq: 3, hash: chain[2].hash, alarm: "fork"))
    }
}
