import ContinuityHTTP
import HTTPTypes
import Hummingbird
import Synchronization
import Testing

/// Against a real server on loopback.
@Suite struct HTTPClientTests {
    @Test func requestAndResponseArriveWhole() async throws {
        let router = Router(context: LoopbackContext.self)
        router.post("echo/:name") { request, context in
            let body = try await request.body.collect(upTo: 1 << 20)
            let type = request.headers[.contentType] ?? "none"
            let sent = request.headers.map(\.name.canonicalName)
            return Response(
                status: .accepted,
                headers: [
                    .xName: try context.parameters.require("name"), .xType: type,
                    .xSent: sent.joined(separator: ","),
                ], body: .init(byteBuffer: body))
        }
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withServer(router) { port in
            let body = [UInt8](repeating: 7, count: 300_000)
            let response = try await client.send(
                HTTPRequest(
                    method: "POST", url: "http://127.0.0.1:\(port)/echo/x?y=z",
                    headers: ["Content-Type": "application/json", "X-Empty": ""], body: body))
            #expect(response.status == 202)
            #expect(response.isSuccess)
            #expect(response.headers["x-name"] == "x")
            #expect(response.headers["X-TYPE"] == "application/json")
            #expect(response.headers["x-sent"]?.contains("x-empty") == true)
            #expect(response.headers["x-sent"]?.contains("expect") == false)
            #expect(response.body == body)

            let empty = try await client.send(
                HTTPRequest(method: "POST", url: "http://127.0.0.1:\(port)/echo/y"))
            #expect(empty.status == 202)
            #expect(empty.headers["x-type"] == "none")
            #expect(empty.body == [])
        }
    }

    @Test(arguments: ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
    func methodsGoOutAsTheyAre(method: String) async throws {
        let router = Router(context: LoopbackContext.self)
        for each in [HTTPTypes.HTTPRequest.Method.get, .put, .delete, .patch, .head] {
            router.on("m", method: each) { request, _ in
                Response(status: .ok, headers: [.xMethod: request.method.rawValue])
            }
        }
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withServer(router) { port in
            let response = try await client.send(
                HTTPRequest(method: method, url: "http://127.0.0.1:\(port)/m"))
            #expect(response.status == 200)
            #expect(response.headers["x-method"] == method)
        }
    }

    @Test func anErrorStatusAndARedirectAreResponses() async throws {
        let router = Router(context: LoopbackContext.self)
        router.get("moved") { _, _ in Response.redirect(to: "/elsewhere") }
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withServer(router) { port in
            let moved = try await client.send(.init(url: "http://127.0.0.1:\(port)/moved"))
            #expect(moved.status == 303)
            let missing = try await client.send(.init(url: "http://127.0.0.1:\(port)/missing"))
            #expect(missing.status == 404)
        }
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let router = Router(context: LoopbackContext.self)
        router.get("port") { _, context in String(context.clientPort) }
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withServer(router) { port in
            var seen: Set<[UInt8]> = []
            for _ in 0..<50 {
                seen.insert(try await client.send(.init(url: "http://127.0.0.1:\(port)/port")).body)
            }
            #expect(seen.count == 1)
        }
    }

    @Test func manyAtOnceEachGetTheirOwnAnswerWithinTheBound() async throws {
        let load = Mutex((now: 0, most: 0))
        let router = Router(context: LoopbackContext.self)
        router.get("n/:n") { _, context in
            load.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            defer { load.withLock { $0.now -= 1 } }
            await Task.yield()
            return try context.parameters.require("n")
        }
        let client = HTTPClient(maxConcurrent: 16)
        defer { client.shutdown() }
        try await withServer(router) { port in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let request = HTTPRequest(url: "http://127.0.0.1:\(port)/n/\(number)")
                        return try await client.send(request).body == Array(String(number).utf8)
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
        #expect(load.withLock { $0.most } <= 16)
    }

    @Test func aLongerBodyThanAllowedIsRefused() async throws {
        let router = Router(context: LoopbackContext.self)
        router.get("big") { _, _ in String(repeating: "x", count: 1001) }
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withServer(router) { port in
            var request = HTTPRequest(url: "http://127.0.0.1:\(port)/big", maxResponseBytes: 1001)
            let whole = try await client.send(request)
            #expect(whole.body.count == 1001)
            request.maxResponseBytes = 1000
            let error = await failure(client, request)
            #expect(error?.code == .tooLarge)
        }
    }
}

extension HTTPField.Name {
    fileprivate static let xName = named("X-Name")
    fileprivate static let xType = named("X-Type")
    fileprivate static let xSent = named("X-Sent")
    fileprivate static let xMethod = named("X-Method")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let parsed = HTTPField.Name(name) else { preconditionFailure("\(name) is no name") }
        return parsed
    }
}

/// The error of a request that must fail.
func failure(_ client: HTTPClient, _ request: HTTPRequest) async -> HTTPError? {
    do {
        let response = try await client.send(request)
        Issue.record("answered \(response.status) where an error was due")
        return nil
    } catch {
        return error
    }
}
