import CLinux
import ContinuityCore
import Glibc
import Testing

@testable import ContinuityHooks

/// Frames come over a stream: cut and joined anywhere, never as they were written.
@Suite struct WorkerChannelTests {
    /// A channel, and the worker's end of it.
    private struct Pair: ~Copyable {
        var channel: WorkerChannel
        var worker: Int32

        init(frameBytesMax: Int = 1 << 20, withinMs: Int64 = 10_000) throws {
            var ends: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
            worker = ends[1]
            channel = WorkerChannel(
                socket: ends[0], frameBytesMax: frameBytesMax,
                deadlineNs: continuity_monotonic_ns() + withinMs * 1_000_000)
        }

        deinit {
            close(channel.socket)
            if worker >= 0 { close(worker) }
        }

        func say(_ bytes: some Collection<UInt8>) throws {
            let all = Array(bytes)
            try #require(send(worker, all, all.count, Int32(MSG_NOSIGNAL)) == all.count)
        }

        mutating func hangUp() {
            close(worker)
            worker = -1
        }

        mutating func log() throws -> String {
            guard case .log(let text) = try channel.receive() else { return "(no log)" }
            return text
        }
    }

    private static func frame(_ text: String) -> [UInt8] {
        let body = CanonicalJSON.bytes(["log": .string(text)])
        return withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) } + body
    }

    @Test("frames that come together are taken one by one, in order")
    func merged() throws {
        var pair = try Pair()
        try pair.say(Self.frame("one") + Self.frame("two") + Self.frame("three"))
        #expect(try pair.log() == "one")
        #expect(try pair.log() == "two")
        #expect(try pair.log() == "three")
    }

    /// Every way to cut two frames in two, the second piece written while the reader waits.
    @Test("a frame that comes in pieces is put together, wherever it is cut")
    func split() throws {
        let all = Self.frame("first") + Self.frame("second")
        for cut in 1..<all.count {
            var pair = try Pair()
            try pair.say(all[..<cut])
            let worker = pair.worker
            let rest = Array(all[cut...])
            let writer = pthread(rest, to: worker)
            #expect(try pair.log() == "first", "cut at \(cut)")
            #expect(try pair.log() == "second", "cut at \(cut)")
            pthread_join(writer, nil)
        }
    }

    /// Several times what one read takes, so that the next frame begins in the middle of a read.
    @Test("long frames and short ones after them")
    func long() throws {
        var pair = try Pair()
        let long = String(repeating: "x", count: 20_000)
        try pair.say(Self.frame("a") + Self.frame(long) + Self.frame("b") + Self.frame(long))
        #expect(try pair.log() == "a")
        #expect(try pair.log() == long)
        #expect(try pair.log() == "b")
        #expect(try pair.log() == long)
    }

    @Test("a frame that nobody may send is refused before its body is awaited")
    func tooLong() throws {
        var pair = try Pair(frameBytesMax: 100)
        try pair.say([0, 0, 0, 101])
        expect(&pair, "malformed")
        var empty = try Pair()
        try empty.say([0, 0, 0, 0])
        expect(&empty, "malformed")
        var huge = try Pair()
        try huge.say([0xFF, 0xFF, 0xFF, 0xFF])
        expect(&huge, "malformed")
    }

    @Test("an end within a frame is an end; whole frames before it are still there")
    func closed() throws {
        var pair = try Pair()
        try pair.say(Self.frame("whole") + Self.frame("cut off").dropLast())
        pair.hangUp()
        #expect(try pair.log() == "whole")
        expect(&pair, "closed")
    }

    @Test("half a frame does not outlast the deadline")
    func late() throws {
        var pair = try Pair(withinMs: 20)
        try pair.say(Self.frame("half").prefix(9))
        expect(&pair, "timeout")
    }

    private func expect(_ pair: inout Pair, _ what: String) {
        do throws(WorkerChannel.Failure) {
            _ = try pair.channel.receive()
            Issue.record("a frame came")
        } catch {
            switch error {
            case .closed: #expect(what == "closed")
            case .timeout: #expect(what == "timeout")
            case .malformed: #expect(what == "malformed")
            case .unusable: #expect(what == "unusable")
            }
        }
    }

    private func pthread(_ bytes: [UInt8], to socket: Int32) -> pthread_t {
        final class Piece: Sendable {
            let bytes: [UInt8]
            let socket: Int32
            init(_ bytes: [UInt8], _ socket: Int32) {
                self.bytes = bytes
                self.socket = socket
            }
        }
        var thread = pthread_t()
        let piece = Unmanaged.passRetained(Piece(bytes, socket)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let piece = Unmanaged<Piece>.fromOpaque(argument).takeRetainedValue()
                _ = send(
                    piece.socket, piece.bytes, piece.bytes.count, Int32(MSG_NOSIGNAL))
                return nil
            }, piece)
        return thread
    }
}
