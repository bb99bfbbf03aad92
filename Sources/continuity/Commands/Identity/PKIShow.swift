import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCrypto
import Foundation

struct PKIShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show certificates: whose, until when, and their pins.",
        discussion: "Exit code 1 when one has ended or is not signed by the authority of --ca.")

    @Argument(help: "Certificate files.")
    var files: [String]

    @Option(help: "Check that this authority has signed them.")
    var ca: String?

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    private struct Row: Encodable {
        var file: String
        var identity: String?
        var names: [String]
        var issuer: String
        var serial: String
        var notBeforeMs: Int64
        var notAfterMs: Int64
        var isAuthority: Bool
        var pin: String
        var sha256: String
        var state: String

        enum CodingKeys: String, CodingKey {
            case file, identity, names, issuer, serial
            case notBeforeMs = "not_before_ms"
            case notAfterMs = "not_after_ms"
            case isAuthority = "authority"
            case pin, sha256, state
        }
    }

    func run() async throws {
        try await reporting {
            let authority = try ca.map { file in
                try readingCertificates(file) { try Certificate.all(inPEM: KeyFile.read(file))[0] }
            }
            var isWell = true
            for file in files {
                let row = try readingCertificates(file) {
                    Self.row(
                        file, try Certificate.all(inPEM: KeyFile.read(file))[0],
                        signedBy: authority)
                }
                if row.state != "valid" { isWell = false }
                if json { try printJSON(row) } else { print(Self.text(row)) }
            }
            if !isWell { throw Exit.unmet }
        }
    }

    private static func row(
        _ file: String, _ certificate: Certificate, signedBy authority: Certificate?
    ) -> Row {
        let now = Int64(Date().timeIntervalSince1970)
        let state =
            if authority.map({ !certificate.isSigned(by: $0) }) ?? false {
                "of another authority"
            } else if now < certificate.notBefore {
                "not yet valid"
            } else if now >= certificate.notAfter {
                "expired"
            } else {
                "valid"
            }
        return Row(
            file: file, identity: Identity(certificate: certificate)?.description,
            names: certificate.names.map(\.description), issuer: certificate.issuer,
            serial: certificate.serial, notBeforeMs: certificate.notBefore * 1000,
            notAfterMs: certificate.notAfter * 1000, isAuthority: certificate.isAuthority,
            pin: Pin(of: certificate).description, sha256: certificate.fingerprint, state: state)
    }

    private static func text(_ row: Row) -> String {
        """
        \(row.file): \(row.state), \(timestamp(row.notBeforeMs)) to \(timestamp(row.notAfterMs))
          identity  \(row.identity ?? (row.isAuthority ? "an authority" : "none"))
          names     \(row.names.joined(separator: ", "))
          issuer    \(row.issuer), serial \(row.serial)
          pin       \(row.pin)
          sha256    \(row.sha256)
        """
    }
}
