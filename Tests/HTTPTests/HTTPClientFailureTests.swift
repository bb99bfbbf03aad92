import ContinuityHTTP
import Hummingbird
import Testing

@Suite struct HTTPClientFailureTests {
    /// A server whose one route says that a request has come and then waits for the gate.
    private func withHeldServer(
        _ body:
            @Sendable (_ url: String, _ arrived: Events<Void>, _ gate: Gate) async throws -> Void
    ) async throws {
        let arrived = Events<Void>()
        let gate = Gate()
        let router = Router(context: LoopbackContext.self)
        router.get("held") { _, _ in
            arrived.add(())
            await gate.wait()
            return "late"
        }
        try await withServer(router) { port in
            defer { gate.open() }
            try await body("http://127.0.0.1:\(port)/held", arrived, gate)
        }
    }

    @Test func aServerThatDoesNotAnswerTimesOut() async throws {
        let client = HTTPClient()
        defer { client.shutdown() }
        try await withHeldServer { url, _, _ in
            let start = ContinuousClock.now
            let error = await failure(client, .init(url: url, timeout: .milliseconds(60)))
            #expect(error?.code == .timedOut)
            #expect(error?.mayHaveBeenSent == true)
            #expect(start.duration(to: .now) >= .milliseconds(55))
        }
    }

    @Test func aCancelledTaskEndsItsTransfer() async throws {
        let client = HTTPClient(maxConcurrent: 1)
        defer { client.shutdown() }
        try await withHeldServer { url, arrived, gate in
            let task = Task { await failure(client, .init(url: url, timeout: .seconds(60))) }
            _ = await arrived.next()
            task.cancel()
            let error = await task.value
            #expect(error?.code == .cancelled)
            #expect(error?.mayHaveBeenSent == true)
            // The one slot is free again.
            gate.open()
            let next = try await client.send(.init(url: url))
            #expect(next.status == 200)
        }
    }

    @Test func aTaskThatWasCancelledBeforeSendsNothing() async throws {
        let client = HTTPClient()
        defer { client.shutdown() }
        let port = try RefusingPort()
        let url = "http://127.0.0.1:\(port.port)/"
        let start = Gate()
        let task = Task {
            await start.wait()
            return await failure(client, .init(url: url))
        }
        task.cancel()
        start.open()
        let error = await task.value
        #expect(error?.code == .cancelled)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test func shutdownEndsWhatIsInProgressAndWhatComesLater() async throws {
        let client = HTTPClient(maxConcurrent: 1)
        try await withHeldServer { url, arrived, _ in
            async let first = failure(client, .init(url: url, timeout: .seconds(60)))
            _ = await arrived.next()
            async let second = failure(client, .init(url: url, timeout: .seconds(60)))
            client.shutdown()
            client.shutdown()
            #expect(await first?.code == .shutDown)
            #expect(await second?.code == .shutDown)
            #expect(await failure(client, .init(url: url))?.code == .shutDown)
        }
    }

    @Test func aFullQueueRefusesAtOnce() async throws {
        let client = HTTPClient(maxConcurrent: 1, maxWaiting: 0)
        defer { client.shutdown() }
        try await withHeldServer { url, arrived, gate in
            async let first = client.send(.init(url: url, timeout: .seconds(60)))
            _ = await arrived.next()
            let error = await failure(client, .init(url: url))
            #expect(error?.code == .overloaded)
            #expect(error?.mayHaveBeenSent == false)
            gate.open()
            let answered = try await first
            #expect(answered.status == 200)
        }
    }

    @Test func waitingForASlotCountsTowardsTheTimeout() async throws {
        let client = HTTPClient(maxConcurrent: 1)
        defer { client.shutdown() }
        try await withHeldServer { url, arrived, gate in
            async let first = client.send(.init(url: url, timeout: .seconds(60)))
            _ = await arrived.next()
            let error = await failure(client, .init(url: url, timeout: .milliseconds(30)))
            #expect(error?.code == .timedOut)
            #expect(error?.mayHaveBeenSent == false)
            gate.open()
            let answered = try await first
            #expect(answered.status == 200)
        }
    }

    @Test func aRefusedConnectionSaysSoAndTellsNoSecret() async throws {
        let client = HTTPClient()
        defer { client.shutdown() }
        let port = try RefusingPort()
        let error = await failure(
            client,
            .init(
                url: "http://user:hush@127.0.0.1:\(port.port)/path-hush?token=hush",
                headers: ["Authorization": "Bearer hush"]))
        #expect(error?.code == .connectFailed)
        #expect(error?.mayHaveBeenSent == false)
        #expect(error?.message.contains("http://127.0.0.1:\(port.port)") == true)
        #expect(error?.message.contains("hush") == false)
        #expect(error?.message.contains("refused") == true)
    }

    /// What a broken server may answer, and what the client calls it.
    enum BrokenAnswer: CaseIterable {
        case nothing, cutOff, notHTTP, endlessHeaders

        var text: String {
            switch self {
            case .nothing: ""
            case .cutOff: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"
            case .notHTTP: "220 mail.example.com ESMTP\r\n"
            case .endlessHeaders:
                "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 70_000))\r\n\r\n"
            }
        }

        var code: HTTPError.Code {
            switch self {
            case .nothing, .cutOff: .connectionLost
            case .notHTTP: .badResponse
            case .endlessHeaders: .tooLarge
            }
        }
    }

    @Test(arguments: BrokenAnswer.allCases)
    func aBrokenAnswerIsAnError(answer: BrokenAnswer) async throws {
        let client = HTTPClient()
        defer { client.shutdown() }
        let port = try answerOnce(answer.text)
        let error = await failure(client, .init(url: "http://127.0.0.1:\(port)/"))
        #expect(error?.code == answer.code, "\(error?.message ?? "")")
        #expect(error?.mayHaveBeenSent == true)
    }

    @Test(arguments: [
        HTTPRequest(url: "file:///etc/passwd"),
        HTTPRequest(url: "ftp://127.0.0.1/"),
        HTTPRequest(url: "127.0.0.1:80"),
        HTTPRequest(url: "http://127.0.0.1/a b"),
        HTTPRequest(url: "http://127.0.0.1:99999/"),
        HTTPRequest(method: "GET /x", url: "http://127.0.0.1/"),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["X": "a\r\nY: b"]),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["X: y\r\nZ": "b"]),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["": "b"]),
    ])
    func aWrongRequestIsNeverSent(request: HTTPRequest) async {
        let client = HTTPClient()
        defer { client.shutdown() }
        let error = await failure(client, request)
        #expect(error?.code == .invalidRequest)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test func aClientThatIsLetGoEndsItsThread() async throws {
        for _ in 0..<20 { _ = HTTPClient() }
    }
}
