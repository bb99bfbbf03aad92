import ContinuityCore
import Foundation
import Hummingbird
import Logging
import Testing

/// The command line against a server that never comes to an end: it says so, and ends.
@Suite(.serialized) struct EndlessServerTests {
    private static func entry(_ seq: Int64) -> String {
        let hash = String(repeating: "0", count: 64)
        return #"{"seq":\#(seq),"epoch":1,"at_ms":0,"actor":"a","kind":"schedule_held","body":{},"#
            + #""body_sha256":"\#(hash)","prev":"\#(hash)","hash":"\#(hash)"}"#
    }

    /// - Parameter page: the answer to each question for entries.
    private func withServer(
        _ page: @escaping @Sendable (Int64) -> ResponseBody,
        _ body: (_ access: [String], _ folder: TemporaryFolder) async throws -> Void
    ) async throws {
        let router = Router()
        router.get("/api/v1/continuity/audit") { request, _ in
            let after = Int64(request.uri.queryParameters["after"] ?? "") ?? 0
            return Response(
                status: .ok, headers: [.contentType: "application/json"], body: page(after))
        }
        let port = try freePort()
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: Logger(label: "endless") { _ in SwiftLogNoOpLogHandler() })
        let folder = try TemporaryFolder()
        let token = try folder.write("a-token-of-the-tests-0123456789\n", to: "token")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
        let serving = Task { try await application.runService(gracefulShutdownSignals: []) }
        defer { serving.cancel() }
        let access = ["--server", "http://127.0.0.1:\(port)", "--token-file", token]
        _ = try await eventually("the server listens") {
            // Nothing else is there: an answer all the same.
            try await Programs.run(["status"] + access).errors
                .contains("is 'continuity serve' running there?") ? nil : true
        }
        try await body(access, folder)
    }

    private static func whole(_ entries: some Sequence<Int64>) -> ResponseBody {
        let list = entries.map(entry).joined(separator: ",")
        return ResponseBody(byteBuffer: ByteBuffer(string: "{\"entries\":[\(list)]}"))
    }

    /// Whatever is asked for, it begins again.
    @Test func pagesThatDoNotGoOnAreRefused() async throws {
        try await withServer({ _ in Self.whole(1...1000) }) { access, _ in
            let list = try await Programs.run(["audit", "list", "--after", "500"] + access)
            #expect(list.exitCode == 70)
            #expect(list.errors.contains("its pages are not in order"), "\(list.errors)")
            let show = try await Programs.run(["run", "show", "run-0123456789abcdef"] + access)
            #expect(show.exitCode == 70)
            #expect(show.errors.contains("its pages are not in order"), "\(show.errors)")
        }
    }

    /// More than was asked for is cut.
    @Test func moreEntriesThanWereAskedForAreLeftOut() async throws {
        try await withServer({ after in Self.whole((after + 1)...(after + 1000)) }) { access, _ in
            let list = try await Programs.run(
                ["audit", "list", "--limit", "3", "--json"] + access)
            #expect(list.exitCode == 0, "\(list.errors)")
            #expect(list.output.split(separator: "\n").count == 3)
        }
    }

    /// One page without an end.
    @Test func anAnswerWithoutAnEndIsRefused() async throws {
        let endless: @Sendable (Int64) -> ResponseBody = { _ in
            ResponseBody { writer in
                try await writer.write(ByteBuffer(string: "{\"entries\":["))
                let chunk = String(repeating: Self.entry(1) + ",", count: 300)
                while !Task.isCancelled { try await writer.write(ByteBuffer(string: chunk)) }
                try await writer.finish(nil)
            }
        }
        try await withServer(endless) { access, _ in
            let began = ContinuousClock.now
            let list = try await Programs.run(["audit", "list"] + access)
            #expect(list.exitCode != 0)
            #expect(list.errors.contains("bytes"), "\(list.errors)")
            #expect(ContinuousClock.now - began < .seconds(39), "it did not wait for the time-out")
        }
    }
}
