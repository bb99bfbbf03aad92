import ContinuityCore

/// One client: it writes to the server that took its last write, else to any that takes writes.
struct ClientModel {
    var machine: Int
    var server: Int?
}

/// What was acknowledged, and what became of it.
struct WriteLedger {
    struct Acknowledged {
        var write: Int32
        /// Its place in the log, counted from 1.
        var length: Int
        var atMs: Int64
    }

    var acknowledged: [Acknowledged] = []
    var count = 0
    var lost = 0
    /// When each write was last acknowledged, for the client's outage.
    var lastAtMs: Int64 = 0
    var longestGapMs: Int64 = 0
    var gaps: [(fromMs: Int64, untilMs: Int64)] = []

    mutating func acknowledge(_ write: Int32, length: Int, atMs: Int64, usualMs: Int64) {
        acknowledged.append(Acknowledged(write: write, length: length, atMs: atMs))
        count += 1
        let gap = atMs - lastAtMs
        if count > 1, gap > 5 * usualMs { gaps.append((lastAtMs, atMs)) }
        if count > 1 { longestGapMs = max(longestGapMs, gap) }
        lastAtMs = atMs
    }
}

extension World {
    func isWritable(_ node: Int) -> Bool {
        let database = databases[node]
        return database.isRunning && database.role == .primary && machineIsUp[node + 1]
            && !database.isPaused(nowMs)
    }

    func stopDatabase(_ node: Int, _ why: String) {
        guard databases[node].isRunning else { return }
        trace("\(name(node)) database stops: \(why)")
        databases[node].stop()
        checker.trouble(node, nowMs)
        // Its agent hears of the end through the kernel.
        after(2, .agentProbes(node: node, boot: -agents[node].boot))
    }

    func startDatabase(_ node: Int) {
        guard !databases[node].isRunning, machineIsUp[node + 1] else { return }
        trace("\(name(node)) database starts as \(databases[node].role.rawValue)")
        databases[node].isRunning = true
        databases[node].pausedUntilMs = 0
        if databases[node].role == .primary { guardWatches(node) }
    }

    func becomesPrimary(_ node: Int) {
        trace("\(name(node)) database is primary now")
        databases[node].role = .primary
        databases[node].upstream = nil
        databases[node].isStreaming = false
        checkAcknowledged(in: node)
        guardWatches(node)
    }

    // MARK: Replication

    func walPolls(_ node: Int) {
        after(400, .walPolls(node: node))
        guard databases[node].isRunning, databases[node].role == .secondary,
            !databases[node].isPaused(nowMs), let source = databases[node].upstream
        else {
            databases[node].isStreaming = false
            return
        }
        let reaches =
            network.connects(node + 1, source + 1) && machineIsUp[source + 1]
            && databases[source].isRunning && !databases[source].isPaused(nowMs)
        databases[node].isStreaming = reaches && databases[node].isPrefix(of: databases[source])
        if databases[node].isStreaming {
            after(
                delayMs(),
                .walArrives(from: source, to: node, length: databases[source].log.count))
        }
    }

    func walArrives(_ source: Int, _ node: Int, _ length: Int) {
        guard machineIsUp[node + 1], databases[node].isRunning else { return }
        guard !databases[node].isPaused(nowMs) else {
            return events.add(
                .walArrives(from: source, to: node, length: length),
                atMs: databases[node].pausedUntilMs)
        }
        guard databases[node].role == .secondary, databases[node].upstream == source,
            databases[node].isStreaming, network.passes(source + 1, node + 1),
            databases[node].isPrefix(of: databases[source])
        else { return }
        let own = databases[node].log.count
        let end = min(length, databases[source].log.count)
        if end > own {
            databases[node].log.append(contentsOf: databases[source].log[own..<end])
            passOn(node)
        }
        guard databases[source].role == .primary, network.passes(node + 1, source + 1) else {
            return
        }
        after(
            networkChance.int(1...2),
            .walAcknowledged(from: node, to: source, length: databases[node].log.count))
    }

    /// Sends what is new to those that stream from this node.
    func passOn(_ node: Int) {
        let length = databases[node].log.count
        for other in databases.indices
        where databases[other].upstream == node && databases[other].isStreaming {
            guard network.connects(node + 1, other + 1) else { continue }
            after(delayMs(), .walArrives(from: node, to: other, length: length))
        }
    }

    func walAcknowledged(_ standby: Int, _ node: Int, _ length: Int) {
        guard machineIsUp[node + 1], databases[node].isRunning,
            databases[node].role == .primary, network.passes(standby + 1, node + 1)
        else { return }
        guard !databases[node].isPaused(nowMs) else {
            return events.add(
                .walAcknowledged(from: standby, to: node, length: length),
                atMs: databases[node].pausedUntilMs)
        }
        while let first = databases[node].waiting.first, first.length <= length {
            databases[node].waiting.removeFirst()
            acknowledge(node, length: first.length)
        }
    }

    // MARK: Writing

    func clientWrites(_ client: Int) {
        after(
            settings.writeIntervalMs + chance.int(0...settings.writeIntervalMs / 4),
            .clientWrites(client: client))
        let machine = clients[client].machine
        func takesWrites(_ node: Int) -> Bool {
            isWritable(node) && network.connects(machine, node + 1) && machineIsUp[machine]
        }
        if let known = clients[client].server, takesWrites(known) { return write(known, client) }
        guard let found = databases.indices.first(where: takesWrites) else { return }
        clients[client].server = found
        write(found, client)
    }

    private func write(_ node: Int, _ client: Int) {
        let number = nextWrite
        nextWrite += 1
        databases[node].log.append(number)
        let length = databases[node].log.count
        if settings.isSynchronous {
            databases[node].waiting.append((length, client))
        } else {
            acknowledge(node, length: length)
        }
        passOn(node)
    }

    private func acknowledge(_ node: Int, length: Int) {
        writes.acknowledge(
            databases[node].log[length - 1], length: length, atMs: nowMs,
            usualMs: settings.writeIntervalMs)
    }
}
