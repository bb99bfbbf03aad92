package import ContinuityConfig
import ContinuityCrypto
import ContinuityHTTP
import Foundation

/// One channel as it stands in a configuration file:
///
/// ```yaml
/// alerts:
///   - name: oncall
///     url: https://alerts.example.com/hooks/continuity
///     secret_file: oncall.whsec      # whsec_<base64>, readable by the service alone
///     timeout_ms: 5000               # of one attempt
///     max_attempts: 20
///     ca_file: receiver-ca.pem       # in place of the system's authorities; https only
///     headers: {x-team: platform}
///     approver: {person: ada, base_url: https://continuity.example.com:8443}
/// ```
package struct AlertChannelConfiguration: Hashable, Sendable {
    package var name: String
    package var url: String
    /// Resolved: a relative path starts at the folder of the file that names it.
    package var secretFile: String
    package var timeoutMs: Int64
    package var maxAttempts: Int
    /// Resolved as `secretFile` is. `nil`: the system's authorities.
    package var caFile: String?
    package var headers: [String: String]
    /// The one person who reads the channel, and may approve by its links.
    package var approver: ChannelApprover?

    /// Headers that the delivery sets itself.
    private static let reserved: Set<String> = [
        "host", "content-type", "content-length", "transfer-encoding", "connection",
        StandardWebhooks.idHeader, StandardWebhooks.timestampHeader,
        StandardWebhooks.signatureHeader,
    ]

    /// Reads one channel strictly: unknown fields are errors. Does not open the secret's file.
    package static func load(
        from reader: ConfigReader
    ) throws(ConfigError) -> AlertChannelConfiguration {
        let url = try url(reader)
        let configuration = AlertChannelConfiguration(
            name: try reader.string("name"), url: url,
            secretFile: path(try reader.string("secret_file"), beside: reader.file),
            timeoutMs: try reader.int("timeout_ms", in: 1...60_000, default: 5000),
            maxAttempts: Int(try reader.int("max_attempts", in: 1...1000, default: 20)),
            caFile: try authorities(reader, url: url),
            headers: try headers(reader), approver: try approver(reader))
        try reader.finish()
        return configuration
    }

    /// Reads the list of channels under `key`; their names are unique.
    package static func loadList(
        from reader: ConfigReader, key: String = "alerts"
    ) throws(ConfigError) -> [AlertChannelConfiguration] {
        var channels: [AlertChannelConfiguration] = []
        for element in try reader.list(key) {
            let channel = try load(from: element)
            guard !channels.contains(where: { $0.name == channel.name }) else {
                throw element.error(
                    "the channel '\(channel.name)' stands more than once",
                    remedy: "give each channel its own name", at: "name")
            }
            channels.append(channel)
        }
        return channels
    }

    /// The channel, with its secret read from the file.
    package func channel() throws(WebhookSecretError) -> AlertChannel {
        AlertChannel(
            name: name, url: url, secret: try WebhookSecret.load(file: secretFile),
            timeout: .milliseconds(timeoutMs), maxAttempts: maxAttempts, caFile: caFile,
            headers: HTTPHeaders(
                headers.sorted { $0.key < $1.key }
                    .map { HTTPHeader(name: $0.key, value: $0.value) }),
            approver: approver)
    }

    private static func approver(_ reader: ConfigReader) throws(ConfigError) -> ChannelApprover? {
        guard let section = try reader.optionalMapping("approver") else { return nil }
        let approver = ChannelApprover(
            person: try section.string("person"), baseURL: try url(section, "base_url"))
        try section.finish()
        return approver
    }

    private static func authorities(
        _ reader: ConfigReader, url: String
    ) throws(ConfigError) -> String? {
        guard let name = try reader.optionalString("ca_file") else { return nil }
        guard url.lowercased().hasPrefix("https://") else {
            throw reader.error(
                "'ca_file' is for https, and the channel's URL is not",
                remedy: "write https:// in 'url', or remove 'ca_file'", at: "ca_file")
        }
        let path = path(name, beside: reader.file)
        do throws(CertificateError) {
            _ = try Certificate.all(inPEM: KeyFile.read(path))
        } catch {
            throw reader.error(
                "\(path): \(error.message)", remedy: error.remedy, at: "ca_file")
        }
        return path
    }

    private static func url(
        _ reader: ConfigReader, _ key: String = "url"
    ) throws(ConfigError) -> String {
        let url = try reader.string(key)
        do {
            try HTTPRequest(method: "POST", url: url).validate()
        } catch {
            throw reader.error(error.message, remedy: "correct the URL", at: key)
        }
        return url
    }

    private static func headers(_ reader: ConfigReader) throws(ConfigError) -> [String: String] {
        let headers = try reader.stringMap("headers")
        for (name, value) in headers {
            guard !reserved.contains(name.lowercased()) else {
                throw reader.error(
                    "the header '\(name)' is set by the delivery itself", remedy: "remove it",
                    at: "headers")
            }
            do {
                let field = HTTPHeader(name: name, value: value)
                try HTTPRequest(url: "http://localhost", headers: [field]).validate()
            } catch {
                throw reader.error(error.message, remedy: "correct it", at: "headers")
            }
        }
        return headers
    }

    private static func path(_ path: String, beside file: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        return URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: path).path
    }
}
