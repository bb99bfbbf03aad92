import CLinux
import ContinuityCore

/// What a worker says.
enum WorkerFrame {
    case log(String)
    case call(name: String, arguments: JSONValue)
    case coverage(HookCoverage)
    case done(WorkerVerdict)

    init?(_ json: JSONValue) {
        if let text = json["log"]?.string {
            self = .log(text)
        } else if let name = json["call"]?.string {
            self = .call(name: name, arguments: json["args"] ?? .null)
        } else if let lines = json["coverage"], let coverage = HookCoverage(lines) {
            self = .coverage(coverage)
        } else if let done = json["done"], let verdict = WorkerVerdict(done) {
            self = .done(verdict)
        } else {
            return nil
        }
    }
}

/// A worker's last word.
struct WorkerVerdict {
    let status: HookOutcome.Status
    let limit: String?
    let value: JSONValue
    let error: String?
    let instructions: Int64
    let memoryBytes: Int64
    let cpuUs: Int64

    init?(_ json: JSONValue) {
        // `denied` and `crash` are not for the worker to say.
        guard let text = json["status"]?.string, let status = HookOutcome.Status(rawValue: text),
            [.ok, .failed, .error, .limit].contains(status)
        else { return nil }
        self.status = status
        limit = json["limit"]?.string
        value = json["value"] ?? .null
        error = json["error"]?.string
        instructions = json["instructions"]?.int ?? 0
        memoryBytes = json["memory_bytes"]?.int ?? 0
        cpuUs = json["cpu_us"]?.int ?? 0
    }
}

/// The frames on a worker's socket: a length of 32 bits in network order, then JSON.
struct WorkerChannel {
    enum Failure: Error {
        /// The worker's end is closed.
        case closed
        case timeout
        /// What came is not a frame; the text is for people.
        case malformed(String)
    }

    let socket: Int32
    let frameBytesMax: Int
    let deadlineNs: Int64

    func send(_ json: JSONValue) throws(Failure) {
        let body = CanonicalJSON.bytes(json)
        var frame: [UInt8] = []
        frame.reserveCapacity(4 + body.count)
        withUnsafeBytes(of: UInt32(body.count).bigEndian) { frame.append(contentsOf: $0) }
        frame.append(contentsOf: body)
        try check(continuity_write_exact(socket, frame, frame.count, deadlineNs))
    }

    func receive() throws(Failure) -> WorkerFrame {
        // A worker that talks without end never makes the read wait, so look at the clock first.
        guard continuity_monotonic_ns() < deadlineNs else { throw .timeout }
        var header: UInt32 = 0
        try check(continuity_read_exact(socket, &header, 4, deadlineNs))
        let length = Int(UInt32(bigEndian: header))
        guard length > 0, length <= frameBytesMax else {
            throw .malformed("a frame of \(length) bytes")
        }
        var body = [UInt8](repeating: 0, count: length)
        try check(continuity_read_exact(socket, &body, length, deadlineNs))
        guard let json = try? JSONValue(parsing: body),
            let frame = WorkerFrame(json)
        else { throw .malformed("a frame that is not understood") }
        return frame
    }

    private func check(_ result: Int32) throws(Failure) {
        switch Int(result) {
        case Int(CONTINUITY_IO_DONE): return
        case Int(CONTINUITY_IO_TIMEOUT): throw .timeout
        default: throw .closed
        }
    }
}
