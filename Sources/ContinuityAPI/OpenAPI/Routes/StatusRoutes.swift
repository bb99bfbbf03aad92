extension APIOperation {
    var statusDescription: OperationDescription {
        OperationDescription(
            tag: .status, summary: "The state of every cluster that the credential reaches",
            answers: [
                .init(200, "The state.", StatusSchemas.status, example: StatusSchemas.example)
            ])
    }
}
