"""The query evaluator: from a query's JSON to a stream of documents or a page."""
