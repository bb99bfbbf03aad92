import CLinux
import ContinuityCore

/// The frames on a worker's socket: a length of 32 bits in network order, then JSON.
///
/// One read takes as much as is there, so that a usual frame costs one system call beside the
/// wait, and what a worker sends in one go is read in one go.
struct WorkerChannel {
    enum Failure: Error {
        /// The worker's end is closed.
        case closed
        case timeout
        /// What came is not a frame; the text is for people.
        case malformed(String)
        /// A frame whose value cannot be held; the text is for the script's author.
        case unusable(String)
    }

    private static let headerBytes = 4
    /// What one read takes at most, unless a longer frame has been announced.
    private static let readBytes = 4 << 10

    let socket: Int32
    let frameBytesMax: Int
    var deadlineNs: Int64

    /// What was read and not yet taken is at `start..<end`.
    private var buffer: [UInt8] = []
    private var start = 0
    private var end = 0

    init(socket: Int32, frameBytesMax: Int, deadlineNs: Int64) {
        self.socket = socket
        self.frameBytesMax = frameBytesMax
        self.deadlineNs = deadlineNs
    }

    func send(_ json: JSONValue) throws(Failure) {
        let body = CanonicalJSON.bytes(json)
        var frame: [UInt8] = []
        frame.reserveCapacity(Self.headerBytes + body.count)
        withUnsafeBytes(of: UInt32(body.count).bigEndian) { frame.append(contentsOf: $0) }
        frame.append(contentsOf: body)
        try check(continuity_write_exact(socket, frame, frame.count, deadlineNs))
    }

    mutating func receive() throws(Failure) -> WorkerFrame {
        // A worker that talks without end never makes the read wait, so look at the clock first.
        guard continuity_monotonic_ns() < deadlineNs else { throw .timeout }
        try fill(Self.headerBytes)
        let length = buffer[start..<start + Self.headerBytes].reduce(0) { $0 << 8 | Int($1) }
        guard length > 0, length <= frameBytesMax else {
            throw .malformed("a frame of \(length) bytes")
        }
        start += Self.headerBytes
        try fill(length)
        defer { start += length }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: buffer[start..<start + length])
        } catch {
            // The worker writes each key of a Lua table once, but Lua compares bytes.
            guard let key = error.repeatedKey else {
                throw .malformed("a frame that is not understood")
            }
            throw .unusable(
                "a table has two keys that are the same text '\(key)' in Unicode, composed and "
                    + "decomposed; keep one of them")
        }
        guard let frame = WorkerFrame(json) else {
            throw .malformed("a frame that is not understood")
        }
        return frame
    }

    /// Reads until at least `count` bytes are there from `start` on.
    private mutating func fill(_ count: Int) throws(Failure) {
        guard end - start < count else { return }
        if start > 0 {
            buffer.replaceSubrange(..<(end - start), with: Array(buffer[start..<end]))
            end -= start
            start = 0
        }
        let capacity = max(count, Self.readBytes)
        if buffer.count < capacity {
            buffer.append(contentsOf: repeatElement(0, count: capacity - buffer.count))
        }
        while end < count {
            var length = 0
            let result = buffer.withUnsafeMutableBytes { bytes in
                let free = UnsafeMutableRawBufferPointer(rebasing: bytes[end...])
                return continuity_read_some(
                    socket, free.baseAddress, free.count, &length, deadlineNs)
            }
            try check(result)
            end += length
            // Nor may one that sends byte after byte.
            guard end >= count || continuity_monotonic_ns() < deadlineNs else { throw .timeout }
        }
    }

    private func check(_ result: Int32) throws(Failure) {
        switch Int(result) {
        case Int(CONTINUITY_IO_DONE): return
        case Int(CONTINUITY_IO_TIMEOUT): throw .timeout
        default: throw .closed
        }
    }
}
