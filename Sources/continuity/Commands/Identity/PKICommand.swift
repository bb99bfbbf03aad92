import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCrypto
import Foundation

struct PKICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pki",
        abstract: "A small certificate authority, for those who have none.",
        discussion: """
            Keys are on the curve P-256. Every certificate serves as a TLS server's and a client's, \
            and says in its subjectAltName who its holder is.
            """,
        subcommands: [PKIInit.self, PKIIssue.self, PKIRenew.self, PKIShow.self])
}

/// Where the authority stands.
struct AuthorityFolder: ParsableArguments {
    @Option(name: .customLong("dir"), help: "The authority's folder: ca.pem and ca-key.pem.")
    var folder = "pki"

    var certificateFile: String { folder + "/ca.pem" }
    var keyFile: String { folder + "/ca-key.pem" }

    func load() throws(CertificateError) -> CertificateAuthority {
        let certificates = try Certificate.all(inPEM: KeyFile.read(certificateFile))
        try KeyFile.checkMode(keyFile)
        return try CertificateAuthority(
            certificate: certificates[0], key: PrivateKey(pem: KeyFile.read(keyFile)))
    }
}

/// Turns what the certificates' module throws into the line that users get for a bad file.
func readingCertificates<Value>(_ file: String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as CertificateError {
        throw ConfigError(file: file, line: nil, message: error.message, remedy: error.remedy)
    }
}

/// From a little in the past, for clocks that are behind, until so many days from now.
func validity(days: Int) -> Range<Int64> {
    let now = Int64(Date().timeIntervalSince1970)
    return (now - CertificateAuthority.skewSeconds)..<(now + Int64(days) * 86_400)
}

struct PKIInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a new authority: ca.pem for everyone, ca-key.pem.",
        discussion: "Keep ca-key.pem off the machines that the certificates are for.")

    @OptionGroup var authority: AuthorityFolder

    @Option(help: "The authority's name, for people.")
    var name = "continuity authority"

    @Option(help: "How long it is valid.")
    var days = 3650

    func validate() throws {
        guard (1...7300).contains(days), (1...64).contains(name.utf8.count) else {
            throw ValidationError("--days is 1 to 7300, --name has 1 to 64 bytes.")
        }
    }

    func run() async throws {
        try await reporting {
            try readingCertificates(authority.folder) {
                try FileManager.default.createDirectory(
                    atPath: authority.folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o755])
                let made = try CertificateAuthority.make(
                    name: name, validity: validity(days: days))
                // The key first: it decides whether there is an authority here already.
                try KeyFile.write(made.key.pem(), to: authority.keyFile, replacing: false)
                try KeyFile.write(
                    made.authority.certificate.pem(), to: authority.certificateFile, mode: 0o644,
                    replacing: true)
            }
            print("\(authority.certificateFile) is for everyone, \(authority.keyFile) for nobody")
        }
    }
}

struct PKIIssue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue", abstract: "Make a key and a certificate for a machine or a person.",
        discussion: """
            The file holds both, key first, mode 0600, so that it is replaced in one step. \
            Example: continuity pki issue --agent orders/node-1 --dns db1.example --out node-1.pem
            """)

    @OptionGroup var authority: AuthorityFolder

    @Option(help: "CLUSTER/NODE: for this node's agent.")
    var agent: String?

    @Option(help: "INSTANCE: for 'continuity serve'.")
    var serve: String?

    @Option(help: "NAME: for a person or a program of theirs.")
    var person: String?

    @Option(help: "Another identity, for example spiffe://example/ns/db/sa/agent.")
    var uri: String?

    @Option(help: "A name that clients reach it by; may be repeated.")
    var dns: [String] = []

    @Option(help: "An address that clients reach it by; may be repeated.")
    var ip: [String] = []

    @Option(help: "How long it is valid.")
    var days = 365

    @Option(help: "The file to write.")
    var out: String

    func validate() throws {
        guard [agent, serve, person, uri].compactMap(\.self).count == 1 else {
            throw ValidationError("Give one of --agent, --serve, --person and --uri.")
        }
        guard (1...3650).contains(days) else { throw ValidationError("--days is 1 to 3650.") }
        guard identity != nil else {
            throw ValidationError(
                "'\(agent ?? serve ?? person ?? uri ?? "")' is no identity: write CLUSTER/NODE "
                    + "with --agent, a plain name with --serve and --person, a URI with --uri.")
        }
    }

    private var identity: Identity? {
        if let agent { return Identity(uri: "\(Identity.scheme)agent/\(agent)") }
        if let serve { return Identity(uri: "\(Identity.scheme)serve/\(serve)") }
        if let person { return Identity(uri: "\(Identity.scheme)person/\(person)") }
        return uri.flatMap(Identity.init(uri:))
    }

    func run() async throws {
        try await reporting {
            try readingCertificates(out) {
                guard let identity else { return }
                let names =
                    [.uri(identity.description)] + dns.map { SubjectName.dns($0) }
                    + ip.map { SubjectName.ip($0) }
                let authority = try authority.load()
                let key = try PrivateKey.generate()
                let certificate = try authority.issue(
                    names: names, for: key, validity: validity(days: days))
                try KeyFile.write(key.pem() + certificate.pem(), to: out, replacing: false)
                print("\(out): \(identity), pin \(Pin(of: certificate))")
            }
        }
    }
}

struct PKIRenew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "Make a certificate anew with the same names.",
        discussion: """
            The key stays, and with it every pin, unless --new-key is given. Running servers and \
            agents take the new file for new connections.
            """)

    @OptionGroup var authority: AuthorityFolder

    @Argument(help: "The file of 'pki issue'.")
    var file: String

    @Option(help: "How long it is valid from now.")
    var days = 365

    @Flag(help: "Make a new key too; pins must name it before.")
    var newKey = false

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days is 1 to 3650.") }
    }

    func run() async throws {
        try await reporting {
            try readingCertificates(file) {
                let bytes = try KeyFile.read(file)
                let old = try Certificate.all(inPEM: bytes)[0]
                let key = newKey ? try PrivateKey.generate() : try PrivateKey(pem: bytes)
                let certificate = try authority.load().issue(
                    names: old.names, for: key, validity: validity(days: days))
                try KeyFile.write(key.pem() + certificate.pem(), to: file, replacing: true)
                print("\(file): until \(timestamp(certificate.notAfter * 1000))")
            }
        }
    }
}
