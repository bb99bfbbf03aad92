import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import ContinuityServer
import Foundation

/// Which server a command asks, and how it says who it is.
struct ServerOptions: ParsableArguments {
    @Option(help: "Base URL of 'continuity serve'. [$CONTINUITY_SERVER, else the context's]")
    var server: String?

    @Option(help: "Another context than the current one. [$CONTINUITY_CONTEXT]")
    var context: String?

    @Option(help: "File with a token. [$CONTINUITY_TOKEN_FILE]")
    var tokenFile: String?

    @Option(help: "File with a certificate and its key. [$CONTINUITY_CERTIFICATE]")
    var certificate: String?

    @Option(help: "The key's file, where the certificate's does not hold it.")
    var key: String?

    @Option(help: "The authority that the server's certificate must be of. [$CONTINUITY_CA]")
    var ca: String?

    /// Where a request goes, and with which credentials: options before the environment before the
    /// context. A server that is not the context's gets nothing that the context holds.
    private func target() throws -> ContextFile.Context {
        var target: ContextFile.Context
        if let url = setting(server, "CONTINUITY_SERVER") {
            guard context == nil else {
                throw ValidationError("Give --server or --context, not both.")
            }
            target = ContextFile.Context(name: "", server: url)
        } else {
            let file = try ContextCommand.load()
            guard let name = setting(context, "CONTINUITY_CONTEXT") ?? file.current else {
                throw ValidationError(
                    "Which server? Give --server or set CONTINUITY_SERVER, or add it once with "
                        + "'continuity context add NAME --server URL'.")
            }
            guard let found = file[name] else { throw ContextCommand.noContext(name, file) }
            target = found
        }
        target.tokenFile = setting(tokenFile, "CONTINUITY_TOKEN_FILE") ?? target.tokenFile
        if let certificate = setting(certificate, "CONTINUITY_CERTIFICATE") {
            target.certificate = certificate
            target.key = nil
        }
        target.key = key ?? target.key
        target.ca = setting(ca, "CONTINUITY_CA") ?? target.ca
        return target
    }

    func get<Answer: Decodable>(_ type: Answer.Type, _ path: String) async throws -> Answer {
        try await send("GET", path, body: [])
    }

    func post<Answer: Decodable>(
        _ type: Answer.Type, _ path: String, _ body: JSONValue
    ) async throws -> Answer {
        try await send("POST", path, body: CanonicalJSON.bytes(body))
    }

    private func setting(_ given: String?, _ variable: String) -> String? {
        given
            ?? ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Says in a request who asks, and whom it must reach.
    private func sign(
        _ request: inout HTTPRequest, as target: ContextFile.Context
    ) throws {
        guard target.tokenFile != nil || target.certificate != nil else {
            throw ValidationError(
                "The server asks who you are: give --token-file or --certificate, set "
                    + "CONTINUITY_TOKEN_FILE or CONTINUITY_CERTIFICATE, or keep one in a context "
                    + "with 'continuity context add'.")
        }
        if let tokenFile = target.tokenFile {
            let token = String(decoding: try SharedToken.load(file: tokenFile), as: UTF8.self)
            request.headers["authorization"] = "Bearer \(token)"
        }
        if let certificate = target.certificate {
            guard let authority = target.ca else {
                throw ValidationError("With --certificate give --ca too, or set CONTINUITY_CA.")
            }
            request.credentials = TLSCredentials(
                certificateFile: certificate, keyFile: target.key ?? certificate,
                authorityFile: authority)
        } else {
            request.caFile = target.ca
        }
        if request.method != "GET" {
            // What changes something is new, or the server refuses it.
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            request.headers["continuity-timestamp"] = "\(now)"
            request.headers["continuity-nonce"] = hexString(randomBytes(16))
        }
    }

    private func send<Answer: Decodable>(
        _ method: String, _ path: String, body: [UInt8]
    ) async throws -> Answer {
        let target = try target()
        let client = HTTPClient(maxConcurrent: 1)
        defer { client.shutdown() }
        var request = HTTPRequest(
            method: method, url: "\(target.server)/api/v1/continuity/\(path)",
            headers: ["content-type": "application/json"], body: body, timeout: .seconds(40),
            maxResponseBytes: 64 << 20)
        try sign(&request, as: target)
        let response: HTTPResponse
        do {
            response = try await client.send(request)
        } catch {
            throw failure(
                "\(error.message); is 'continuity serve' running there?", Exit.unavailable)
        }
        let data = Data(response.body)
        guard response.isSuccess else { throw problem(response.status, data) }
        do {
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw failure("the server's answer is not understood: \(error)", Exit.internalError)
        }
    }

    private func problem(_ status: Int, _ data: Data) -> ExitCode {
        let body = try? JSONDecoder().decode(JSONValue.self, from: data)
        let rule = body?["type"]?.string?.split(separator: ":").last.map(String.init) ?? "\(status)"
        let detail = body?["detail"]?.string ?? "the server answers with status \(status)"
        let code: ExitCode =
            switch status {
            case 409, 401, 403: Exit.refused
            // What is asked about is not there.
            case 404: Exit.unmet
            case 400, 422: Exit.badFile
            default: Exit.unavailable
            }
        return failure("\(rule): \(detail)", code)
    }
}
