/// What a value from another process may be. Values within these bounds can be added to each other
/// and to any clock of ours without leaving 64 bits, and every JSON reader keeps them exactly.
package enum WireBounds {
    /// 2^53 - 1: as a time in milliseconds, 285,000 years.
    package static let integerMax: Int64 = (1 << 53) - 1
    /// No timeout or lease is longer than a month.
    package static let durationMsMax: Int64 = 31 * 86_400_000
    /// On an agent's clock, which may show as much as it likes, and a timeout after it.
    static let notAfterMsMax = 2 * integerMax
    package static let detailBytesMax = 2048
    package static let alarmBytesMax = 512
    package static let nameBytesMax = 128
    package static let peersMax = 100

    package static func bounded(_ number: Int64) -> Int64 { min(max(0, number), integerMax) }

    package static func duration(_ ms: Int64) -> Int64 { min(max(0, ms), durationMsMax) }

    /// A text of at most so many bytes, on one line and without what changes how a terminal or a
    /// log shows what stands around it.
    package static func text(_ text: String, bytes: Int) -> String {
        let isPlain = text.utf8.count <= bytes && text.unicodeScalars.allSatisfy(isShown)
        if isPlain { return text }
        var kept = ""
        var left = bytes
        for scalar in text.unicodeScalars {
            let shown = isShown(scalar) ? scalar : " "
            left -= UTF8.width(shown)
            guard left >= 3 else {
                kept += "…"
                break
            }
            kept.unicodeScalars.append(shown)
        }
        return kept
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
}

extension NodeReport {
    /// The report as it may be worked with. What is too much is cut, not refused: a report that is
    /// refused costs a healthy primary its lease.
    package var bounded: NodeReport {
        var report = self
        report.sequence = WireBounds.bounded(sequence)
        report.highestEpoch = WireBounds.bounded(highestEpoch)
        report.clockMs = clockMs.map(WireBounds.bounded)
        report.service = service.bounded
        report.witness = witness?.bounded
        report.instanceID = instanceID.map { WireBounds.text($0, bytes: WireBounds.nameBytesMax) }
        report.version = version.map { WireBounds.text($0, bytes: WireBounds.nameBytesMax) }
        report.work = work?.bounded
        if peers.count > WireBounds.peersMax {
            let kept = peers.keys.sorted().prefix(WireBounds.peersMax)
            report.peers = peers.filter { kept.contains($0.key) }
        }
        return report
    }
}

extension ServiceReport {
    package var bounded: ServiceReport {
        var service = self
        service.positionBytes = positionBytes.map(WireBounds.bounded)
        service.lagMs = lagMs.map(WireBounds.bounded)
        service.detail = WireBounds.text(detail, bytes: WireBounds.detailBytesMax)
        return service
    }
}

extension WitnessState {
    package var bounded: WitnessState {
        WitnessState(
            seq: WireBounds.bounded(seq), hash: WireBounds.text(hash, bytes: 64),
            alarm: alarm.map { WireBounds.text($0, bytes: WireBounds.alarmBytesMax) })
    }
}

extension CommandResult {
    package var bounded: CommandResult {
        var result = self
        result.detail = WireBounds.text(detail, bytes: WireBounds.detailBytesMax)
        result.durationMs = WireBounds.duration(durationMs)
        result.service = service?.bounded
        result.receipt?.epoch = WireBounds.bounded(receipt?.epoch ?? 0)
        result.receipt?.processesKilled = WireBounds.bounded(receipt?.processesKilled ?? 0)
        return result
    }
}

extension AgentCommand {
    /// What is wrong with an order's numbers, for its sender; `nil`: nothing.
    package var fault: String? {
        func wish(_ name: String, _ value: Int64?, _ most: Int64) -> String? {
            guard let value, !(0...most).contains(value) else { return nil }
            return "'\(name)' must be a whole number from 0 to \(most)"
        }
        return wish("epoch", epoch, WireBounds.integerMax)
            ?? wish("timeout_ms", timeoutMs, WireBounds.durationMsMax)
            ?? wish("lease_ms", leaseMs, WireBounds.durationMsMax)
            // Before the agent's machine started: too late, which the agent itself answers.
            ?? wish("not_after_ms", notAfterMs.map { max(0, $0) }, WireBounds.notAfterMsMax)
            ?? wish("denies_promises_ms", deniesPromisesMs, WireBounds.durationMsMax)
            ?? faultOfTexts
    }

    /// They become arguments of programs: none may pass for an option, or for two words.
    private var faultOfTexts: String? {
        let texts = [
            ("key", key.rawValue), ("cluster_id", clusterID.rawValue), ("node_id", nodeID.rawValue),
            ("primary_address", primaryAddress), ("primary_node_id", primaryNodeID?.rawValue),
            ("denies_promises_to", deniesPromisesTo?.rawValue),
        ]
        for (name, text) in texts {
            guard let text else { continue }
            let isPlain =
                (1...4 * WireBounds.nameBytesMax).contains(text.utf8.count)
                && !text.hasPrefix("-") && text == WireBounds.text(text, bytes: text.utf8.count)
            if !isPlain {
                return
                    "'\(name)' must be 1 to \(4 * WireBounds.nameBytesMax) bytes, without control "
                    + "characters, and not begin with '-'"
            }
        }
        return nil
    }
}

extension ReportReply {
    package static let votersMax = 1000

    /// What is wrong with an answer's numbers; `nil`: nothing. An agent takes no other answer.
    package var fault: String? {
        func wish(_ name: String, _ value: Int64?, _ range: ClosedRange<Int64>) -> String? {
            guard let value, !range.contains(value) else { return nil }
            return
                "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        }
        return wish("epoch", epoch, 0...WireBounds.integerMax)
            ?? wish("clock_ms", clockMs, 0...WireBounds.integerMax)
            ?? wish("interval_ms", intervalMs, 1...WireBounds.durationMsMax)
            ?? wish("jitter_permille", jitterPermille, 0...1000)
            ?? wish("lease_ms", leaseMs, 0...WireBounds.durationMsMax)
            ?? wish("promise_limit_ms", promiseLimitMs, 0...WireBounds.durationMsMax)
            ?? wish(
                "promise_rule.needed", promiseRule.map { Int64($0.needed) },
                0...Int64(Self.votersMax))
            ?? wish("checkpoint.seq", checkpoint?.seq, 0...WireBounds.integerMax)
            ?? wish("voters", promiseRule.map { Int64($0.voters.count) }, 0...Int64(Self.votersMax))
            ?? wish("peers", Int64(peers.count), 0...Int64(Self.votersMax))
    }
}
