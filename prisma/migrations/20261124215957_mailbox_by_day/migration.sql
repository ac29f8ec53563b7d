-- The table becomes partitioned, which Postgres cannot do in place: its rows move to a new one of the same name.
ALTER TABLE "MailboxMessage" RENAME TO "MailboxMessage_unpartitioned";
ALTER TABLE "MailboxMessage_unpartitioned" DROP CONSTRAINT "MailboxMessage_machineId_fkey";
ALTER TABLE "MailboxMessage_unpartitioned" DROP CONSTRAINT "MailboxMessage_orgId_fkey";
ALTER TABLE "MailboxMessage_unpartitioned" DROP CONSTRAINT "MailboxMessage_pkey";
DROP INDEX "MailboxMessage_expiresAt_idx";
DROP INDEX "MailboxMessage_machineId_id_idx";
DROP INDEX "MailboxMessage_machineId_messageId_key";
DROP INDEX "MailboxMessage_machineId_stream_seq_idx";

-- CreateTable
CREATE TABLE "MailboxMessage" (
    "machineId" UUID NOT NULL,
    "id" UUID NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "orgId" UUID NOT NULL,
    "fromMachine" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "messageId" UUID,
    "stream" TEXT,
    "outboxEpoch" TEXT,
    "seq" INTEGER,
    "payload" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "storedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "MailboxMessage_pkey" PRIMARY KEY ("machineId","id","expiresAt")
) PARTITION BY RANGE ("expiresAt");

-- CreateIndex
CREATE INDEX "MailboxMessage_machineId_stream_seq_idx" ON "MailboxMessage"("machineId", "stream", "seq");

-- CreateTable
CREATE TABLE "MailboxUse" (
    "machineId" UUID NOT NULL,
    "day" DATE NOT NULL,
    "kind" TEXT NOT NULL,
    "orgId" UUID NOT NULL,
    "messages" INTEGER NOT NULL,
    "bytes" BIGINT NOT NULL,

    CONSTRAINT "MailboxUse_pkey" PRIMARY KEY ("machineId","day","kind")
);

-- Makes the partition of a day (UTC) unless it is there. Attached rather than created in place, which would lock out readers
-- and writers. There is no default partition: its rows could not be dropped by day, and every attachment would lock it.
CREATE FUNCTION "openMailboxDay"("day" date) RETURNS void LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    part text := 'MailboxMessage_' || to_char("day", 'YYYYMMDD');
BEGIN
    IF to_regclass(quote_ident(part)) IS NOT NULL THEN RETURN; END IF;
    -- One at a time, and beside readers and writers.
    LOCK TABLE "MailboxMessage" IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(quote_ident(part)) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE "MailboxMessage" INCLUDING DEFAULTS)', part);
    EXECUTE format('ALTER TABLE "MailboxMessage" ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, "day", "day" + 1);
END
$$;

-- From yesterday, for a clock behind this one, to the longest time to live and a day of reserve.
SELECT "openMailboxDay"(day::date)
FROM generate_series((now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 31, interval '1 day') AS day;

-- What was expired is gone, and what has longer than 30 days to live was never accepted.
INSERT INTO "MailboxMessage" ("machineId", "id", "expiresAt", "orgId", "fromMachine", "kind", "messageId", "stream", "outboxEpoch",
    "seq", "payload", "sizeBytes", "storedAt")
SELECT "machineId", "id", "expiresAt", "orgId", "fromMachine", "kind", "messageId", "stream", "outboxEpoch",
    "seq", "payload" #>> '{}', "sizeBytes", "storedAt"
FROM "MailboxMessage_unpartitioned"
WHERE "expiresAt" > now() AT TIME ZONE 'UTC' AND "expiresAt" < (now() AT TIME ZONE 'UTC')::date + 32;

INSERT INTO "MailboxUse" ("machineId", "day", "kind", "orgId", "messages", "bytes")
SELECT "machineId", "expiresAt"::date, "kind", "orgId", count(*), sum("sizeBytes")
FROM "MailboxMessage" GROUP BY "machineId", "expiresAt"::date, "kind", "orgId";

DROP TABLE "MailboxMessage_unpartitioned";
