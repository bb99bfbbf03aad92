import ArgumentParser
import ContinuityCore
import ContinuityHTTP
import ContinuityServer
import Foundation

/// Which server a command asks, and how it says who it is.
struct ServerOptions: ParsableArguments {
    @Option(help: "Base URL of 'continuity serve'. [$CONTINUITY_SERVER]")
    var server: String?

    @Option(help: "File with the server's token. [$CONTINUITY_TOKEN_FILE]")
    var tokenFile: String?

    static let defaultServer = "http://127.0.0.1:7100"

    private var url: String {
        server ?? ProcessInfo.processInfo.environment["CONTINUITY_SERVER"] ?? Self.defaultServer
    }

    func get<Answer: Decodable>(_ type: Answer.Type, _ path: String) async throws -> Answer {
        try await send("GET", path, body: [])
    }

    func post<Answer: Decodable>(
        _ type: Answer.Type, _ path: String, _ body: JSONValue
    ) async throws -> Answer {
        try await send("POST", path, body: CanonicalJSON.bytes(body))
    }

    private func token() throws -> String {
        guard
            let file = tokenFile
                ?? ProcessInfo.processInfo.environment["CONTINUITY_TOKEN_FILE"]
        else {
            throw ValidationError(
                "The server asks for a token: give --token-file, or set CONTINUITY_TOKEN_FILE.")
        }
        return String(decoding: try SharedToken.load(file: file), as: UTF8.self)
    }

    private func send<Answer: Decodable>(
        _ method: String, _ path: String, body: [UInt8]
    ) async throws -> Answer {
        let client = HTTPClient(maxConcurrent: 1)
        defer { client.shutdown() }
        let request = HTTPRequest(
            method: method, url: "\(url)/api/v1/continuity/\(path)",
            headers: [
                "authorization": "Bearer \(try token())", "content-type": "application/json",
            ],
            body: body, timeout: .seconds(40), maxResponseBytes: 64 << 20)
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
            case 409: Exit.refused
            case 404, 400: Exit.badFile
            default: Exit.unavailable
            }
        return failure("\(rule): \(detail)", code)
    }
}
