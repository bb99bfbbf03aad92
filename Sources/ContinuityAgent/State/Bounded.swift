/// What the work gives, or `nil` when that takes longer than `atMostMs` or the waiting task is
/// cancelled. The work goes on then: it is for what cannot be stopped, such as a disk that hangs.
func bounded<Value: Sendable>(
    atMostMs: Int64, _ work: @escaping @Sendable () async -> Value
) async -> Value? {
    let (stream, continuation) = AsyncStream<Value>.makeStream(
        bufferingPolicy: .bufferingOldest(1))
    Task {
        continuation.yield(await work())
        continuation.finish()
    }
    let timer = Task {
        try? await Task.sleep(for: .milliseconds(max(0, atMostMs)))
        continuation.finish()
    }
    defer { timer.cancel() }
    for await value in stream { return value }
    return nil
}
