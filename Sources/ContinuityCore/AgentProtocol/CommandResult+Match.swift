extension CommandResult {
    /// Why this is no answer to `command`; `nil`: it is one. What another order brought about, or
    /// another node, proves nothing about this one.
    package func mismatch(with command: AgentCommand) -> String? {
        guard key == command.key else {
            return "the answer is to another order (\(SafeText.line(key.rawValue, countMax: 80)))"
        }
        guard let receipt else { return nil }
        guard receipt.nodeID == command.nodeID else {
            return "the receipt is of another node "
                + "(\(SafeText.line(receipt.nodeID.rawValue, countMax: 80)))"
        }
        guard receipt.epoch == command.epoch else {
            return "the receipt is of another epoch (\(receipt.epoch), not \(command.epoch))"
        }
        return nil
    }
}
