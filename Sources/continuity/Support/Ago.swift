import ContinuityCore

func ago(_ ms: Int64) -> String { SpanText.text(ms: ms) }
