/// Who may hold what the primary has acknowledged.
///
/// Two questions that must not be mixed up. *May* a node hold a write? Then it must be asked before
/// another becomes primary. Is its data *known* to be the beginning of the primary's? Only then it
/// may become primary itself, or be caught up with. An order that was never answered makes the
/// first true, never the second.
extension ClusterState {
    /// Every node that may have taken changes from the present primary: also those whose order to
    /// do so is not answered yet.
    package var possibleHolders: Set<NodeID> {
        mayHold.union(
            pendingPointers.filter { $0.sourceNodeID == primary }.compactMap(\.nodeID))
    }

    /// Orders to take changes from a node that are not answered yet.
    private var pendingPointers: [Operation] {
        (Array(upkeep.values) + (run?.pendingOperations ?? [])).filter { $0.pointsToSource }
    }

    /// What is not answered when a process ends may have been carried out, whatever a later
    /// attempt to send it meets.
    mutating func doubtPendingPointers() {
        for operation in pendingPointers { notePossibleSource(of: operation) }
    }

    private mutating func notePossibleSource(of operation: Operation) {
        guard let node = operation.nodeID, let source = operation.sourceNodeID else { return }
        possibleSources[node, default: []].insert(source)
        if source == primary { mayHold.insert(node) }
    }

    mutating func learnLineage(from operation: Operation, _ result: OperationResult) {
        guard let node = operation.nodeID, let command = operation.command else { return }
        switch (command, result.outcome) {
        case (.follow, .ok), (.rejoin, .ok):
            guard let source = operation.sourceNodeID else { return }
            notePossibleSource(of: operation)
            following[node] = source
            possibleSources[node] = [source]
            if command == .rejoin {
                // Its data was compared with the source's, or copied from it.
                if source == primary { kin.insert(node) } else { kin.remove(node) }
            }
            if source == primary, kin.contains(node) { replicas.insert(node) }
        // Only a refusal shows that nothing was done. A connection that broke does not.
        case (.follow, .refused), (.rejoin, .refused): break
        case (.follow, _), (.rejoin, _): notePossibleSource(of: operation)
        case (.fence, .ok), (.demote, .ok): following[node] = nil
        case (.status, .ok): learnLineage(from: result.command?.service, of: node)
        default: break
        }
    }

    /// One that streams from the primary, and can stream from nobody else, has the same history.
    private mutating func learnLineage(from service: ServiceReport?, of node: NodeID) {
        guard let service, service.state == .running, service.role == .secondary,
            service.streaming, following[node] == primary, possibleSources[node] == [primary]
        else { return }
        kin.insert(node)
        replicas.insert(node)
    }

    /// The primary changes. A replica of the old one that was read before the promotion, and was
    /// not ahead of the new one, has the beginning of the new one's data. Of all others that is not
    /// known until they stream from it or have rejoined.
    mutating func inheritLineage(by node: NodeID) {
        let read = run?.positionsBeforePromotion ?? [:]
        let own = read[node] ?? 0
        termFloorBytes = run?.wasSecondaryWhenRead(node) == true ? read[node] : nil
        kin = replicas.filter { $0 != node && (read[$0] ?? .max) <= own }
        following[node] = nil
        possibleSources[node] = nil
        mayHold = Set(
            possibleSources.filter { other, sources in
                // What is ahead of the new primary can never take anything from it.
                sources.contains(node) && (read[other] ?? 0) <= own
            }.keys)
        replicas = kin.filter { following[$0] == node }
    }
}

extension Operation {
    /// Whether a node takes its changes from another because of it.
    var pointsToSource: Bool { command == .follow || command == .rejoin }
}

extension RunState {
    /// Whether no position was read of the node when it might have been primary already.
    func wasSecondaryWhenRead(_ node: NodeID) -> Bool {
        operations.allSatisfy { key, operation in
            operation.command != .status || operation.stage != .promote
                || operation.nodeID != node
                || results[key]?.command?.service?.role != .primary
        }
    }

    /// The last position of each node that was read while its service ran, before the promotion.
    var positionsBeforePromotion: [NodeID: Int64] {
        var positions: [NodeID: Int64] = [:]
        for (key, operation) in operations where operation.command == .status {
            guard operation.stage == .promote, let node = operation.nodeID,
                let result = results[key], result.outcome == .ok,
                let service = result.command?.service, service.state == .running,
                let position = service.positionBytes
            else { continue }
            // A position only grows.
            positions[node] = max(positions[node] ?? 0, position)
        }
        return positions
    }
}
