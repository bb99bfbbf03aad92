import ContinuityCore

/// Which machine reaches which, and how well. Machine 0 is the orchestrator's.
struct Network {
    /// How many cuts there are, from row to column.
    private var cuts: [[Int]]
    var lossPermille: Int64 = 0
    var extraDelayMs: Int64 = 0
    var duplicatePermille: Int64 = 0

    init(machines: Int) {
        cuts = Array(repeating: Array(repeating: 0, count: machines), count: machines)
    }

    mutating func cut(_ from: Int, _ to: Int) { cuts[from][to] += 1 }
    mutating func mend(_ from: Int, _ to: Int) { cuts[from][to] -= 1 }

    func passes(_ from: Int, _ to: Int) -> Bool { from == to || cuts[from][to] == 0 }
    /// Whether a connection can be made and used.
    func connects(_ one: Int, _ other: Int) -> Bool {
        passes(one, other) && passes(other, one)
    }
}

extension World {
    func send(_ from: Int, _ to: Int, _ content: Message.Content) {
        guard network.passes(from, to), machineIsUp[from], machineIsUp[to] else { return }
        let message = Message(from: from, to: to, content: content)
        after(delayMs(), .deliver(message))
        if network.duplicatePermille > 0, networkChance.chance(network.duplicatePermille) {
            after(delayMs() + networkChance.int(0...2000), .deliver(message))
        }
    }

    /// A lost packet is sent again by TCP: it arrives late, or far too late.
    func delayMs() -> Int64 {
        var delay = networkChance.int(1...3)
        if network.extraDelayMs > 0 { delay += networkChance.int(0...network.extraDelayMs) }
        if network.lossPermille > 0, networkChance.chance(network.lossPermille) {
            delay += networkChance.int(200...6000)
        }
        return delay
    }

    func deliver(_ message: Message) {
        guard network.passes(message.from, message.to), machineIsUp[message.to] else { return }
        if message.to == 0 { return serveHears(message) }
        let node = message.to - 1
        guard agents[node].isUp else {
            if case .order(_, let effect) = message.content {
                after(2, .orderTimedOut(effect: effect, unreachable: true))
            }
            return
        }
        if agents[node].isPaused(nowMs) {
            return events.add(
                .deliver(message), atMs: agents[node].pausedUntilMs + networkChance.int(1...3))
        }
        agentHears(message, node)
    }
}
