package import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import Foundation
import Glibc

extension AgentConfiguration {
    /// As long as an order may take at all: how long work takes that hangs on the data, nobody knows
    /// beforehand.
    private static let timeoutRangeMs: ClosedRange<Int64> = 10...WireBounds.durationMsMax
    private static let stallRangeMs: ClosedRange<Int64> = 1000...WireBounds.durationMsMax

    /// Reads and checks a configuration file, and the token file and executables it names.
    ///
    /// - Throws: the first mistake, with its line and what to do about it.
    package static func load(file: String) throws(ConfigError) -> AgentConfiguration {
        try read(ConfigReader.load(file: file))
    }

    static func parse(text: String, file: String) throws(ConfigError) -> AgentConfiguration {
        try read(ConfigReader.parse(text: text, file: file))
    }

    private static func read(_ reader: ConfigReader) throws(ConfigError) -> AgentConfiguration {
        let clusterID = ClusterID(try reader.string("cluster_id"))
        let nodeID = NodeID(try reader.string("node_id"))
        let tls = try readTLS(reader, clusterID)
        let isPlainPermitted = try reader.bool("insecure_plain_http", default: false)
        let orchestrators = try readOrchestrators(reader, isEncrypted: tls != nil)
        let token = tls == nil ? try readToken(reader) : ""
        let listen = try endpoint("listen", reader: reader)
        if tls == nil { try checkPlain(listen, "listen", isPlainPermitted, reader) }
        let healthListen = try readHealthListen(reader)
        let advertiseURL = try reader.optionalString("advertise_url")
        if let advertiseURL { try checkURL(advertiseURL, key: "advertise_url", reader: reader) }
        let stateFile = try absolutePath("state_file", reader: reader)
        let role = try reader.choice("role", default: Role.data)
        let (service, commands) = try readService(reader, role)
        let hookCommands = try readHookCommands(try reader.optionalMapping("hook_commands"))
        let onShutdown = try reader.choice("on_shutdown", default: ShutdownBehaviour.handOver)
        let mode = try reader.choice("mode", default: Mode.act)
        let guardSection = try reader.optionalMapping("guard")
        if role == .witness, guardSection != nil { throw needless("guard", reader) }
        let guardProcess = role == .witness ? nil : try readGuard(guardSection, reader)
        let auditPublicKey = try readAuditKey(reader)
        try reader.finish()
        var configuration = AgentConfiguration(
            clusterID: clusterID, nodeID: nodeID, orchestrators: orchestrators, token: token,
            tls: tls, listen: listen, advertiseURL: advertiseURL, stateFile: stateFile,
            service: service, commands: commands, hookCommands: hookCommands,
            onShutdown: onShutdown, guardProcess: guardProcess)
        configuration.healthListen = healthListen
        configuration.auditPublicKey = auditPublicKey
        configuration.mode = mode
        configuration.healthIsPlain = isPlainPermitted
        if let healthListen, isPlainPermitted || tls == nil {
            try checkPlain(healthListen, "health_listen", isPlainPermitted, reader)
        }
        return configuration
    }

    private static func readAuditKey(
        _ reader: ConfigReader
    ) throws(ConfigError) -> Ed25519.PublicKey? {
        guard try reader.optionalString("audit_public_key") != nil else { return nil }
        let file = try absolutePath("audit_public_key", reader: reader)
        do {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            return try Ed25519.PublicKey(pem: text)
        } catch {
            throw reader.error(
                "the public key \(file) cannot be used: it \(error)",
                remedy: "copy the file that 'continuity audit key init' wrote (….pub)",
                at: "audit_public_key")
        }
    }

    private static func readTLS(
        _ reader: ConfigReader, _ cluster: ClusterID
    ) throws(ConfigError) -> TLS? {
        guard let section = try reader.optionalMapping("tls") else { return nil }
        let files = try TLSFiles.load(section) { path in
            path.hasPrefix("/")
                ? path
                : URL(fileURLWithPath: reader.file).deletingLastPathComponent()
                    .appending(path: path).path
        }
        let tls = TLS(
            files: files,
            orchestrators: try identities(
                "orchestrators", section, default: "\(Identity.scheme)serve/"),
            peers: try identities("peers", section, default: peersDefault(cluster)),
            orchestratorPins: try section.strings("orchestrator_pins", default: []).map {
                text throws(ConfigError) in
                guard let pin = Pin(text) else {
                    throw section.error(
                        "'\(text)' is no pin",
                        remedy: "write it as 'continuity pki show' prints it: sha256/BASE64",
                        at: "orchestrator_pins")
                }
                return pin
            })
        try section.finish()
        return tls
    }

    private static func identities(
        _ key: String, _ section: ConfigReader, default fallback: String
    ) throws(ConfigError) -> [String] {
        let identities = try section.strings(key, default: [fallback])
        guard !identities.isEmpty, identities.allSatisfy({ $0.contains("://") }) else {
            throw section.error(
                "'\(key)' does not list URIs",
                remedy: "write them as in the certificates, for example \(fallback)one", at: key)
        }
        return identities
    }

    private static func readHealthListen(
        _ reader: ConfigReader
    ) throws(ConfigError) -> Endpoint? {
        guard try reader.optionalString("health_listen") != nil else { return nil }
        return try endpoint("health_listen", reader: reader)
    }

    private static func checkPlain(
        _ endpoint: Endpoint, _ key: String, _ isPermitted: Bool, _ reader: ConfigReader
    ) throws(ConfigError) {
        guard isPermitted else {
            throw reader.error(
                "'\(key)' is \(endpoint), and there is no 'tls'",
                remedy: "give 'tls' certificate and ca ('continuity pki' makes them), or, for "
                    + "a trial on one machine, set insecure_plain_http: true", at: key)
        }
        guard endpoint.isLoopback else {
            throw reader.error(
                "'\(key)' is \(endpoint), which other machines can reach, without TLS",
                remedy: "listen on 127.0.0.1, or give 'tls'", at: key)
        }
    }

    private static func readGuard(
        _ section: ConfigReader?, _ reader: ConfigReader
    ) throws(ConfigError) -> GuardConfiguration {
        var program = GuardConfiguration.defaultProgram()
        var watchdog: GuardConfiguration.Watchdog?
        if let section {
            if try section.optionalString("program") != nil {
                program = try absolutePath("program", reader: section)
            }
            if let part = try section.optionalMapping("watchdog") {
                let device = try absolutePath("device", reader: part)
                let timeoutMs = try part.int(
                    "timeout_ms", in: GuardConfiguration.Watchdog.timeoutRangeMs, default: 10_000)
                try part.finish()
                guard access(device, W_OK) == 0 else {
                    throw part.error(
                        "the watchdog \(device) cannot be written",
                        remedy: "load its driver and let the agent's user write it, or remove "
                            + "'watchdog'", at: "device")
                }
                watchdog = .init(device: device, timeoutMs: timeoutMs)
            }
            try section.finish()
        }
        guard access(program, X_OK) == 0 else {
            throw reader.error(
                "missing binary: the guard process \(program) is no executable file",
                remedy: "install continuity-agent-guard beside continuity, or name it in "
                    + "'guard.program'")
        }
        return GuardConfiguration(program: program, watchdog: watchdog)
    }

    private static func readOrchestrators(
        _ reader: ConfigReader, isEncrypted: Bool
    ) throws(ConfigError) -> [String] {
        var urls: [String] = []
        for url in try reader.strings("orchestrators") {
            try checkURL(url, key: "orchestrators", reader: reader)
            guard url.hasPrefix(isEncrypted ? "https://" : "http://") else {
                throw reader.error(
                    "'orchestrators' holds '\(url)'",
                    remedy: isEncrypted
                        ? "write it as https://, for there is 'tls'"
                        : "give 'tls' too, or write it as http:// for one machine alone",
                    at: "orchestrators")
            }
            urls.append(url.hasSuffix("/") ? String(url.dropLast()) : url)
        }
        guard (1...16).contains(urls.count) else {
            throw reader.error(
                "'orchestrators' holds \(urls.count) URLs",
                remedy: "name 1 to 16 base URLs, for example [http://127.0.0.1:7100]",
                at: "orchestrators")
        }
        return urls
    }

    private static func checkURL(
        _ text: String, key: String, reader: ConfigReader
    ) throws(ConfigError) {
        guard let url = URL(string: text), url.host()?.isEmpty == false,
            url.scheme == "http" || url.scheme == "https"
        else {
            throw reader.error(
                "'\(key)' holds '\(text)', which is no URL",
                remedy: "write it as http://host:port", at: key)
        }
    }

    private static func readToken(_ reader: ConfigReader) throws(ConfigError) -> String {
        let path = try absolutePath("token_file", reader: reader)
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        guard let mode = attributes?[.posixPermissions] as? NSNumber else {
            throw reader.error(
                "the token file \(path) cannot be found",
                remedy: "create it with mode 0600 and the orchestrator's agent token in it",
                at: "token_file")
        }
        guard mode.intValue & 0o007 == 0 else {
            throw reader.error(
                "the token file \(path) is open to every user of this machine",
                remedy: "run: chmod 600 \(path)", at: "token_file")
        }
        let token = (try? String(contentsOfFile: path, encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard let token, token.utf8.count >= 16, !token.contains(where: \.isWhitespace) else {
            throw reader.error(
                "the token file \(path) holds no usable token",
                remedy: "put one line of at least 16 characters without spaces in it",
                at: "token_file")
        }
        return token
    }

    private static func endpoint(
        _ key: String, reader: ConfigReader
    ) throws(ConfigError) -> Endpoint {
        try reader.endpoint(key)
    }

    private static func absolutePath(
        _ key: String, reader: ConfigReader
    ) throws(ConfigError) -> String {
        let path = try reader.string(key)
        guard path.hasPrefix("/") else {
            throw reader.error(
                "'\(key)' is '\(path)'", remedy: "write an absolute path", at: key)
        }
        return path
    }

    /// A witness has neither a service nor programs for one.
    private static func readService(
        _ reader: ConfigReader, _ role: Role
    ) throws(ConfigError) -> (Service?, [AgentCommand.Name: CommandTemplate]) {
        guard role == .witness else {
            guard let section = try reader.optionalMapping("service") else {
                throw reader.error(
                    "'service' is missing",
                    remedy: "say where the service is, or, for a node that only votes, write "
                        + "role: witness")
            }
            return (try readService(section), try readCommands(try reader.mapping("commands")))
        }
        for key in ["service", "commands"] where reader.keys.contains(key) {
            throw needless(key, reader)
        }
        return (nil, [:])
    }

    private static func needless(_ key: String, _ reader: ConfigReader) -> ConfigError {
        reader.error(
            "'\(key)' is given, and the role is witness",
            remedy: "remove '\(key)': a witness votes and has no service; or remove 'role'", at: key
        )
    }

    private static func readService(_ reader: ConfigReader) throws(ConfigError) -> Service {
        let address = try endpoint("address", reader: reader)
        let pidFile = try absolutePath("pid_file", reader: reader)
        let directory = try absolutePath("directory", reader: reader)
        guard directory != "/" else {
            // Most daemons of a machine have this working directory: a fence would kill them all.
            throw reader.error(
                "'directory' is '/'", remedy: "name the directory that only the service runs in",
                at: "directory")
        }
        let timeoutMs = try reader.int("probe_timeout_ms", in: 10...60_000, default: 1000)
        var service = Service(
            address: address, pidFile: pidFile, directory: directory, probeTimeoutMs: timeoutMs)
        service.unit = try reader.optionalString("unit")
        if let unit = service.unit, !isUnitName(unit) {
            throw reader.error(
                "'unit' is '\(unit)'",
                remedy: "name one unit of systemd, for example postgresql@15-main.service",
                at: "unit")
        }
        if let probe = try reader.optionalMapping("probe") {
            service.probesTCP = try probe.bool("tcp", default: true)
            service.probeURL = try probe.optionalString("http")
            if let url = service.probeURL { try checkURL(url, key: "http", reader: probe) }
            try probe.finish()
        }
        try reader.finish()
        return service
    }

    private static func isUnitName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && !text.hasPrefix("-")
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || ":-_.\\@".utf8.contains(byte)
            }
    }

    private static func readCommands(
        _ reader: ConfigReader
    ) throws(ConfigError) -> [AgentCommand.Name: CommandTemplate] {
        var commands: [AgentCommand.Name: CommandTemplate] = [:]
        for name in AgentCommand.Name.allCases where name != .own {
            guard let command = try reader.optionalMapping(name.rawValue) else { continue }
            let fallbackMs: Int64? =
                name == .status ? 1000 : name.isAsLongAsData ? timeoutRangeMs.upperBound : nil
            commands[name] = try readCommand(
                command, name: name.rawValue, fallbackMs: fallbackMs,
                mayStall: name.isAsLongAsData)
        }
        try reader.finish()
        guard commands[.status] != nil else {
            throw reader.error(
                "'commands.status' is missing",
                remedy: "name a program that prints the service's role as JSON")
        }
        return commands
    }

    private static func readHookCommands(
        _ reader: ConfigReader?
    ) throws(ConfigError) -> [String: HookCommandTemplate] {
        guard let reader else { return [:] }
        var commands: [String: HookCommandTemplate] = [:]
        for name in reader.keys {
            guard AgentCommand.isProgramName(name) else {
                throw reader.error(
                    "'\(name)' cannot name a hook command",
                    remedy: "use 1 to 64 lower-case letters, digits and hyphens, and none of: "
                        + AgentCommand.Name.allCases.map(\.rawValue).joined(separator: ", "),
                    at: name)
            }
            let section = try reader.mapping(name)
            let readsOnly = try section.bool("reads_only", default: false)
            commands[name] = HookCommandTemplate(
                template: try readCommand(section, name: name), readsOnly: readsOnly)
        }
        try reader.finish()
        return commands
    }

    private static func readCommand(
        _ reader: ConfigReader, name: String, fallbackMs: Int64? = nil, mayStall: Bool = false
    ) throws(ConfigError) -> CommandTemplate {
        let argv = try reader.strings("argv")
        let timeoutMs = try reader.int("timeout_ms", in: timeoutRangeMs, default: fallbackMs)
        let stallMs =
            mayStall
            ? try reader.int(
                "stall_ms", in: stallRangeMs, default: CommandTemplate.stallDefaultMs)
            : CommandTemplate.stallDefaultMs
        let environment = try reader.stringMap("environment")
        try reader.finish()
        guard let program = argv.first, program.hasPrefix("/") else {
            throw reader.error(
                "'argv' of '\(name)' does not start with an absolute path",
                remedy: "name the program with its full path; there is no shell and no PATH",
                at: "argv")
        }
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: program, isDirectory: &isDirectory)
        guard exists, !isDirectory.boolValue, access(program, X_OK) == 0 else {
            throw reader.error(
                "missing binary: '\(name)' runs \(program), which is no executable file",
                remedy: "install it or correct the path", at: "argv")
        }
        for element in argv {
            guard let unknown = CommandTemplate.unknownPlaceholders(in: element).first else {
                continue
            }
            let known = CommandTemplate.placeholders.map { "{\($0)}" }.joined(separator: ", ")
            throw reader.error(
                "'argv' of '\(name)' holds the unknown placeholder {\(unknown)}",
                remedy: "known: \(known)", at: "argv")
        }
        var template = CommandTemplate(argv: argv, timeoutMs: timeoutMs, environment: environment)
        template.stallMs = stallMs
        return template
    }
}
