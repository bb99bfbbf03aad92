package import ContinuityConfig
import ContinuityCore

/// A use of `ctx` that cannot work: a member that does not exist, or a call that the manifest does
/// not ask for.
package struct ContextUse: Hashable, Sendable, Codable {
    /// Counted from 1.
    package var line: Int
    package var message: String

    package var advice: String { "line \(line): \(message)" }

    /// Every such use that can be seen without running the script: chains of names that begin at
    /// `ctx`, or at a local that was made from one (`local http = ctx.http`). In the order of the
    /// lines.
    package static func all(
        inScript script: String, kind: HookKind, requested: CapabilityRules
    ) -> [ContextUse] {
        var search = ContextSearch(LuaTokens.all(in: script), kind, requested)
        return search.run()
    }
}

private struct ContextSearch {
    private let tokens: [LuaTokens.Token]
    private let kind: HookKind
    private let requested: CapabilityRules
    /// Locals that stand for a part of `ctx`, by name: the chain they were made from.
    private var aliases: [String: [String]] = [:]
    private var found: [ContextUse] = []

    init(_ tokens: [LuaTokens.Token], _ kind: HookKind, _ requested: CapabilityRules) {
        self.tokens = tokens
        self.kind = kind
        self.requested = requested
    }

    mutating func run() -> [ContextUse] {
        // A `ctx` of the script's own may be anything.
        guard
            !tokens.indices.contains(where: {
                tokens[$0].kind == .name("local") && kind($0 + 1) == .name("ctx")
            })
        else { return [] }
        aliases = findAliases()
        for index in tokens.indices {
            guard case .name(let name) = tokens[index].kind, isFree(index),
                let prefix = name == "ctx" ? [] : aliases[name]
            else { continue }
            check(prefix, at: index)
        }
        return found.sorted { ($0.line, $0.message) < ($1.line, $1.message) }
    }

    /// Whether the name is no field, method or table key, which only looks like it.
    private func isFree(_ index: Int) -> Bool {
        guard index > 0 else { return true }
        return ![.other("."), .other(":"), .name("goto")].contains(tokens[index - 1].kind)
            && !(kind(index + 1) == .other("=") && isTableKey(index))
    }

    private func isTableKey(_ index: Int) -> Bool {
        [.other("{"), .other(","), .other(";")].contains(kind(index - 1) ?? .other(""))
    }

    private func kind(_ index: Int) -> LuaTokens.Kind? {
        tokens.indices.contains(index) ? tokens[index].kind : nil
    }

    /// The members that follow the name at `index`, and where they end. `[1]` gives `[]`.
    private func chain(after index: Int) -> (members: [String], end: Int) {
        var members: [String] = []
        var at = index + 1
        while true {
            if kind(at) == .other("."), case .name(let name)? = kind(at + 1) {
                members.append(name)
                at += 2
            } else if kind(at) == .other("["), case .text(let name)? = kind(at + 1),
                kind(at + 2) == .other("]")
            {
                members.append(name)
                at += 3
            } else if kind(at) == .other("["), let end = bracketEnd(at) {
                members.append("[]")
                at = end + 1
            } else {
                return (members, at)
            }
        }
    }

    private func bracketEnd(_ start: Int) -> Int? {
        var depth = 0
        for at in start..<tokens.count {
            if kind(at) == .other("[") { depth += 1 }
            if kind(at) == .other("]") { depth -= 1 }
            if depth == 0 { return at }
        }
        return nil
    }

    /// `local name = ctx.a.b`, where nothing else in the script is called `name`: the scopes are
    /// not followed.
    private func findAliases() -> [String: [String]] {
        var counts: [String: Int] = [:]
        var chains: [String: [String]] = [:]
        for index in tokens.indices {
            guard case .name(let name) = tokens[index].kind else { continue }
            if isDeclaration(index) { counts[name, default: 0] += 1 }
            guard kind(index - 1) == .name("local"), kind(index + 1) == .other("="),
                kind(index + 2) == .name("ctx")
            else { continue }
            let (members, end) = chain(after: index + 2)
            // What is called, compared or combined is another value.
            if !members.isEmpty, endsStatement(end, after: index) { chains[name] = members }
        }
        return chains.filter { counts[$0.key] == 1 }
    }

    private func isDeclaration(_ index: Int) -> Bool {
        switch kind(index - 1) {
        case .name("local"), .name("for"), .name("function"): true
        case .other(","), .other("("):
            // A parameter, a further local, or a mere argument: any of them makes it doubtful.
            kind(index + 1) == .other(",") || kind(index + 1) == .other(")")
                || kind(index + 1) == .other("=") || kind(index + 1) == .name("in")
        default: kind(index + 1) == .other("=") && isFree(index)
        }
    }

    private func endsStatement(_ index: Int, after start: Int) -> Bool {
        switch kind(index) {
        case nil: return true
        case .name(let word): return !["and", "or"].contains(word)
        case .other(";"): return true
        default: return false
        }
    }

    // MARK: Judging

    private mutating func check(_ prefix: [String], at index: Int) {
        let (own, end) = chain(after: index)
        let members = prefix + own
        guard let first = members.first, !own.isEmpty || prefix.isEmpty else { return }
        let line = tokens[index].line
        if let unknown = LuaDefinitions.unknownMember(of: members) {
            note(line, unknown)
        } else if LuaDefinitions.handleGroups.contains(first) {
            checkCall(members, argument: argument(at: end), line)
        }
    }

    /// The first argument of a call that begins at `index`, where it is a plain text.
    private func argument(at index: Int) -> String? {
        if case .text(let text)? = kind(index) { return text }
        guard kind(index) == .other("("), case .text(let text)? = kind(index + 1),
            kind(index + 2) == .other(",") || kind(index + 2) == .other(")")
        else { return nil }
        return text
    }

    private mutating func checkCall(_ members: [String], argument: String?, _ line: Int) {
        let name = "ctx." + members.joined(separator: ".")
        guard kind != .policy else {
            return note(line, "\(name) is not there for a policy, which is pure")
        }
        func ask(_ isRequested: Bool, _ section: String) {
            guard !isRequested else { return }
            note(line, "\(name) is used, but hook.yaml does not ask for it: add '\(section)'")
        }
        switch members[0] {
        case "http":
            ask(!requested.http.isEmpty, "capabilities.http")
            guard !requested.http.isEmpty, members.count > 1, members[1] != "request" else {
                return
            }
            let method = members[1].uppercased()
            ask(
                requested.http.contains { $0.methods.contains(method) },
                "methods: [\(method)]' under 'capabilities.http")
        case "dns": ask(!requested.dns.isEmpty, "capabilities.dns")
        case "haproxy": ask(!requested.haproxy.isEmpty, "capabilities.haproxy")
        case "agent" where members.last == "read":
            ask(!requested.agentReads.isEmpty, "capabilities.agent.reads")
        case "agent": ask(!requested.agentCommands.isEmpty, "capabilities.agent.commands")
        case "notify": askNamed(requested.notifyChannels, "capabilities.notify.channels")
        case "secret": askNamed(requested.secrets, "capabilities.secrets")
        default: break
        }
        func askNamed(_ names: Set<String>, _ section: String) {
            ask(!names.isEmpty, section)
            guard !names.isEmpty, !names.contains("*"), let argument, !names.contains(argument)
            else { return }
            note(
                line,
                "\(name)(\"\(argument)\") is used, but '\(section)' of hook.yaml does not name it")
        }
    }

    private mutating func note(_ line: Int, _ message: String) {
        let use = ContextUse(line: line, message: message)
        if !found.contains(use) { found.append(use) }
    }
}
