-- The words of an archived body, and its organization as one more, so that a search reads the index for its own alone. Of its first
-- 65,536 characters: a chain of hyphens costs the parser the square of its length. The cost keeps the planner from doing this
-- for every row where it can read the index; in SQL instead of PL/pgSQL it would look through to what the parts cost.
CREATE FUNCTION archive_words("orgId" uuid, body text) RETURNS tsvector
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100000
AS $$
BEGIN
  RETURN array_to_tsvector(ARRAY['org ' || "orgId"::text]) || to_tsvector('simple'::regconfig, left(body, 65536));
END
$$;

CREATE INDEX "ArchivedMessage_words_idx" ON "ArchivedMessage" USING gin (archive_words("orgId", body));

-- Bodies go when their traces go.
DROP INDEX "ArchivedMessage_storedAt_idx";
CREATE INDEX "ArchivedMessage_sentAt_idx" ON "ArchivedMessage"("sentAt");
