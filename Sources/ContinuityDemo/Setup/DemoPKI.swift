import ContinuityCrypto
import ContinuityHTTP
import ContinuityPostgres
import Glibc

/// The demo's own authority, as `continuity pki` makes one, and a certificate for each process.
struct DemoPKI: Sendable {
    /// Nothing of it is of use once the demo has ended.
    private static let validSeconds: Int64 = 86_400

    let folder: DemoFolder

    var authorityFile: String { folder.file("ca.pem") }

    /// `serve`, a node's id, or `person`.
    func file(_ name: String) -> String { folder.file("\(name).pem") }

    /// For a request as that process or person.
    func credentials(_ name: String) -> TLSCredentials {
        TLSCredentials(
            certificateFile: file(name), keyFile: file(name), authorityFile: authorityFile)
    }

    func write(_ layout: DemoLayout) throws {
        let now = Int64(time(nil))
        let validity = (now - CertificateAuthority.skewSeconds)..<(now + Self.validSeconds)
        do {
            let made = try CertificateAuthority.make(name: "continuity demo", validity: validity)
            try KeyFile.write(
                made.authority.certificate.pem(), to: authorityFile, mode: 0o644, replacing: false)
            func issue(_ name: String, _ identity: Identity, host: String?) throws {
                let key = try PrivateKey.generate()
                let names = [.uri(identity.description)] + (host.map { [SubjectName.ip($0)] } ?? [])
                let certificate = try made.authority.issue(
                    names: names, for: key, validity: validity)
                try KeyFile.write(key.pem() + certificate.pem(), to: file(name), replacing: false)
            }
            try issue("serve", .serve("demo-1"), host: layout.network.serveHost)
            try issue("person", .person("demo"), host: nil)
            for member in layout.members {
                try issue(
                    member.id, .agent(cluster: DemoLayout.clusterID, node: member.id),
                    host: member.postgres.place.host)
            }
        } catch let error as CertificateError {
            throw DemoFailure("\(error)")
        }
    }
}
