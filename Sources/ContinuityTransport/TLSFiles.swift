package import ContinuityConfig
package import ContinuityCrypto
import Glibc

/// The files of one process's TLS identity.
package struct TLSFiles: Hashable, Sendable {
    /// The certificate and its chain, in PEM form.
    package var certificateFile: String
    /// May be the same file: it is replaced in one step then.
    package var keyFile: String
    /// The authorities of which the other side's certificate must be.
    package var authorityFile: String

    package init(certificateFile: String, keyFile: String? = nil, authorityFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile ?? certificateFile
        self.authorityFile = authorityFile
    }

    /// Reads `tls: {certificate, key, ca}`; `key` may be missing where the certificate's file
    /// holds it.
    ///
    /// - Parameter path: Makes a path of the file absolute.
    package static func load(
        _ reader: ConfigReader, path: (String) -> String
    ) throws(ConfigError) -> TLSFiles {
        let certificate = path(try reader.string("certificate"))
        let files = TLSFiles(
            certificateFile: certificate, keyFile: try reader.optionalString("key").map(path),
            authorityFile: path(try reader.string("ca")))
        do {
            _ = try files.read()
        } catch {
            throw reader.error(error.message, remedy: error.remedy, at: "certificate")
        }
        return files
    }

    package struct Material: Sendable {
        package var chain: [Certificate]
        package var key: PrivateKey
        package var authorities: [Certificate]
    }

    /// - Throws: ``CertificateError`` when they cannot be read or do not belong together.
    package func read() throws(CertificateError) -> Material {
        try KeyFile.checkMode(keyFile)
        let chain = try Certificate.all(inPEM: KeyFile.read(certificateFile))
        let key = try PrivateKey(pem: KeyFile.read(keyFile))
        guard chain[0].matches(key) else {
            throw CertificateError(
                "the key in \(keyFile) is not the one of the certificate in \(certificateFile)",
                remedy: "put the two together that were issued together")
        }
        let authorities = try Certificate.all(inPEM: KeyFile.read(authorityFile))
        // Nobody's certificate would be trusted, and the logs of both sides would say it of the other.
        guard authorities.allSatisfy(\.isAuthority) else {
            throw CertificateError(
                "\(authorityFile) holds a certificate that is no authority's",
                remedy: "name the authority's certificate, the ca.pem of 'continuity pki init'")
        }
        return Material(chain: chain, key: key, authorities: authorities)
    }

    /// Changes whenever one of the files was replaced or written to.
    var stamp: [Int64] {
        [certificateFile, keyFile, authorityFile].flatMap { file -> [Int64] in
            var status = stat()
            guard stat(file, &status) == 0 else { return [0] }
            return [
                Int64(status.st_ino), Int64(status.st_size), Int64(status.st_mtim.tv_sec),
                Int64(status.st_mtim.tv_nsec),
            ]
        }
    }
}
