import ContinuityCore
import Testing

@Suite struct SpanTextTests {
    @Test(
        arguments: [
            (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (9999, "9.9 s"), (59_999, "59 s"),
            (139_277, "2 min 19 s"), (3_600_000, "1 h 0 min"), (86_399_999, "23 h 59 min"),
            (90_000_000, "1 d 1 h"), (-5, "-5 ms"),
        ] as [(Int64, String)])
    func aLengthIsToldInTheUnitsThatFit(_ ms: Int64, _ text: String) {
        #expect(SpanText.text(ms: ms) == text)
    }
}
