-- CreateEnum
CREATE TYPE "OrgKeyPurpose" AS ENUM ('control', 'cloud', 'seal', 'archive');

-- AlterTable
ALTER TABLE "Machine" ADD COLUMN     "seals" JSONB NOT NULL DEFAULT '[]';

-- AlterTable
ALTER TABLE "Organization" ADD COLUMN     "archiveSince" TIMESTAMP(3);

-- CreateTable
CREATE TABLE "OrgKey" (
    "id" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "purpose" "OrgKeyPurpose" NOT NULL,
    "publicKey" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "OrgKey_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "MachineLink" (
    "machineId" UUID NOT NULL,
    "peerId" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "state" TEXT NOT NULL,
    "kind" TEXT,
    "latencyMs" DOUBLE PRECISION,
    "why" TEXT NOT NULL,
    "since" TIMESTAMP(3) NOT NULL,
    "updatedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "MachineLink_pkey" PRIMARY KEY ("machineId","peerId")
);

-- CreateTable
CREATE TABLE "ArchivedMessage" (
    "orgId" UUID NOT NULL,
    "messageId" UUID NOT NULL,
    "body" TEXT NOT NULL,
    "sentAt" TIMESTAMP(3) NOT NULL,
    "storedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ArchivedMessage_pkey" PRIMARY KEY ("orgId","messageId")
);

-- CreateIndex
CREATE INDEX "OrgKey_orgId_purpose_createdAt_idx" ON "OrgKey"("orgId", "purpose", "createdAt" DESC);

-- CreateIndex
CREATE INDEX "MachineLink_orgId_idx" ON "MachineLink"("orgId");

-- CreateIndex
CREATE INDEX "ArchivedMessage_storedAt_idx" ON "ArchivedMessage"("storedAt");

-- AddForeignKey
ALTER TABLE "OrgKey" ADD CONSTRAINT "OrgKey_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "MachineLink" ADD CONSTRAINT "MachineLink_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "MachineLink" ADD CONSTRAINT "MachineLink_machineId_fkey" FOREIGN KEY ("machineId") REFERENCES "Machine"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ArchivedMessage" ADD CONSTRAINT "ArchivedMessage_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;
