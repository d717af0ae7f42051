-- The requests that wanted a model, which the page shows: task bookkeeping can stand in thousands of rows between them.
CREATE INDEX requests_that_wanted_a_model ON requests (seq) WHERE tier_wanted <> 'none';
