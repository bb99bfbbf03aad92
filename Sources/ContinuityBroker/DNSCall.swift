import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation
import Subprocess
import SystemPackage

/// One `ctx.dns` call, by BIND's own tools: `dig` to look, `nsupdate` to change. Both are given
/// words that were checked one by one (`DNSText`), and neither sees a shell.
struct DNSCall {
    static let outputBytesMax = 64 << 10
    /// For one exchange with the server.
    static let timeoutS = 3

    let broker: LiveBroker
    let call: HookHostCall

    // MARK: Look

    func lookup() async throws(CallFailure) -> JSONValue {
        let server = try server()
        let result = try await run(
            "/usr/bin/dig",
            [
                "-r", "@\(server.host)", "-p", "\(server.port)", "+noall", "+answer", "+comments",
                "+norecurse", "+tries=2", "+time=\(Self.timeoutS)",
                "-q", text("name"), "-t", text("type"),
            ], input: "")
        guard result.isSuccess, let status = Self.status(result.output) else {
            throw CallFailure("the name server \(server.host) did not answer", code: "timed_out")
        }
        let records = result.output.split(separator: "\n").compactMap(Self.record)
        return ["status": .string(status), "records": .array(records)]
    }

    private static func status(_ output: String) -> String? {
        guard let label = output.firstRange(of: "status: ") else { return nil }
        return String(output[label.upperBound...].prefix { $0.isLetter })
    }

    /// `name ttl IN type data`, as dig writes it.
    private static func record(_ line: Substring) -> JSONValue? {
        guard !line.hasPrefix(";") else { return nil }
        let fields = line.split(maxSplits: 4, whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count == 5, let ttl = Int64(fields[1]) else { return nil }
        return [
            "name": .string(DNSRule.canonical(String(fields[0]))), "ttl": .int(ttl),
            "type": .string(String(fields[3])), "data": .string(String(fields[4])),
        ]
    }

    // MARK: Change

    /// All that an update needs but for the server's consent.
    func rehearse() throws(CallFailure) {
        _ = try script(try server())
        guard FileManager.default.isExecutableFile(atPath: Self.updateProgram) else {
            throw Self.missing(Self.updateProgram)
        }
    }

    private static let updateProgram = "/usr/bin/nsupdate"

    private static func missing(_ program: String) -> CallFailure {
        CallFailure("\(program) cannot be run; install bind9-dnsutils", code: "unavailable")
    }

    func update() async throws(CallFailure) -> JSONValue {
        let server = try server()
        // Over TCP, so that an update is never sent twice: the second copy would find its
        // prerequisite broken by the first. The key goes by standard input: everybody can read an
        // argument.
        let result = try await run(
            Self.updateProgram, ["-v", "-t", "\(Self.timeoutS)"],
            input: try script(server))
        guard !result.isSuccess else { return true }
        throw Self.failure(result.errors, text("name"))
    }

    private func script(_ server: Endpoint) throws(CallFailure) -> String {
        var lines = ["server \(server.host) \(server.port)", "zone \(text("zone"))."]
        if let key = call.permission.dns?.tsig {
            let value = try broker.secrets.value(key.secret, for: server.description)
            guard value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw CallFailure(
                    "the secret '\(key.secret)' is no TSIG key", code: "unavailable")
            }
            lines.append("key \(key.algorithm):\(key.name) \(value)")
        }
        let arguments = call.arguments
        for prerequisite in arguments["prerequisites"]?.array ?? [] {
            lines.append(contentsOf: Self.lines(prerequisite))
        }
        let name = text("name")
        let type = text("type")
        lines.append("update delete \(name). IN \(type)")
        for data in arguments["data"]?.array?.compactMap(\.string) ?? [] {
            let ttl = arguments["ttl"]?.int ?? 60
            lines.append("update add \(name). \(ttl) IN \(type) \(Self.quoted(data, type))")
        }
        return (lines + ["send", ""]).joined(separator: "\n")
    }

    private static func lines(_ prerequisite: JSONValue) -> [String] {
        let name = DNSRule.canonical(prerequisite["name"]?.string ?? "")
        let exists = prerequisite["exists"]?.bool ?? true
        guard let type = prerequisite["type"]?.string else {
            return ["prereq \(exists ? "yx" : "nx")domain \(name)."]
        }
        let data = prerequisite["data"]?.array?.compactMap(\.string) ?? []
        guard !data.isEmpty else {
            return ["prereq \(exists ? "yx" : "nx")rrset \(name). IN \(type)"]
        }
        return data.map { "prereq yxrrset \(name). IN \(type) \(quoted($0, type))" }
    }

    private static func quoted(_ data: String, _ type: String) -> String {
        switch type {
        case "TXT": "\"\(data)\""
        // A name without its dot would be taken as one within the zone.
        case "CNAME", "SRV": data.hasSuffix(".") ? data : data + "."
        default: data
        }
    }

    /// What nsupdate says, told apart.
    private static func failure(_ errors: String, _ name: String) -> CallFailure {
        let words = errors.split(whereSeparator: { " \n:()".contains($0) }).map(String.init)
        func says(_ codes: [String]) -> String? { words.first(where: codes.contains) }
        if let code = says(["YXDOMAIN", "YXRRSET", "NXDOMAIN", "NXRRSET"]) {
            return CallFailure(
                "\(name) was not changed: a prerequisite does not hold (\(code)); somebody else "
                    + "has changed it", code: "prerequisite_failed")
        }
        if let code = says(["BADKEY", "BADSIG", "BADTIME", "NOTAUTH", "REFUSED", "NOTZONE"]) {
            return CallFailure(
                "\(name) was not changed: the server refuses the update (\(code)); check the key, "
                    + "the zone and the server's update-policy", code: "refused")
        }
        if errors.contains("connection refused") || errors.contains("could not resolve") {
            return CallFailure(
                "\(name) was not changed: the name server cannot be reached", code: "unreachable")
        }
        if let code = says(["SERVFAIL", "FORMERR", "NOTIMP"]) {
            return CallFailure("\(name) was not changed: \(code)", code: "refused")
        }
        return CallFailure(
            "no clear answer to the update of \(name): it may have been carried out",
            code: "in_doubt")
    }

    // MARK: Both

    private func text(_ key: String) -> String {
        let text = call.arguments[key]?.string ?? ""
        return key == "type" ? text : DNSRule.canonical(text)
    }

    private func server() throws(CallFailure) -> Endpoint {
        guard let text = call.permission.dns?.server,
            let server = try? Endpoint(parsing: text, defaultPort: 53)
        else { throw CallFailure("no name server is granted", code: "unavailable") }
        return server
    }

    private struct Output {
        var isSuccess: Bool
        var output: String
        var errors: String
    }

    private func run(
        _ program: String, _ arguments: [String], input: String
    ) async throws(CallFailure) -> Output {
        var options = PlatformOptions()
        options.teardownSequence = [
            .gracefulShutDown(allowedDurationToNextStep: .milliseconds(200))
        ]
        do {
            let result = try await Subprocess.run(
                Configuration(
                    executable: .path(FilePath(program)), arguments: Arguments(arguments),
                    environment: .custom(["LC_ALL": "C", "HOME": "/nonexistent"]),
                    platformOptions: options),
                input: .string(input), output: .string(limit: Self.outputBytesMax),
                error: .string(limit: Self.outputBytesMax))
            return Output(
                isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput,
                errors: result.standardError)
        } catch {
            throw Self.missing(program)
        }
    }
}
