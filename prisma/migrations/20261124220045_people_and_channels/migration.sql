-- CreateTable
CREATE TABLE "Channel" (
    "id" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "nameKey" TEXT NOT NULL,
    "topic" TEXT,
    "createdBy" TEXT NOT NULL,
    "messageCount" INTEGER NOT NULL DEFAULT 0,
    "ownerId" UUID,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Channel_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ChannelMember" (
    "id" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "channelId" UUID NOT NULL,
    "agentId" UUID,
    "userId" UUID,
    "joinedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "readUpTo" UUID,

    CONSTRAINT "ChannelMember_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "DashboardMessage" (
    "id" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "userId" UUID,
    "channelId" UUID,
    "agentId" UUID,
    "fromUserId" UUID,
    "fromName" TEXT NOT NULL,
    "fromMachineId" UUID,
    "messageId" UUID NOT NULL,
    "thread" TEXT,
    "replyTo" UUID,
    "body" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "sentAt" TIMESTAMP(3) NOT NULL,
    "storedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seenAt" TIMESTAMP(3),

    CONSTRAINT "DashboardMessage_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "DashboardWatermark" (
    "machineId" UUID NOT NULL,
    "outboxEpoch" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "next" INTEGER NOT NULL,

    CONSTRAINT "DashboardWatermark_pkey" PRIMARY KEY ("machineId","outboxEpoch","stream")
);

-- CreateTable
CREATE TABLE "OwedReceipt" (
    "machineId" UUID NOT NULL,
    "messageId" UUID NOT NULL,
    "state" "DeliveryState" NOT NULL,
    "reason" TEXT,
    "note" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "toldAt" TIMESTAMP(3),

    CONSTRAINT "OwedReceipt_pkey" PRIMARY KEY ("machineId","messageId","state")
);

-- CreateTable
CREATE TABLE "PersonStream" (
    "userId" UUID NOT NULL,
    "machineId" UUID NOT NULL,
    "agentKey" TEXT NOT NULL,
    "outboxEpoch" TEXT NOT NULL,
    "nextSeq" INTEGER NOT NULL,

    CONSTRAINT "PersonStream_pkey" PRIMARY KEY ("userId","machineId","agentKey")
);

-- CreateTable
CREATE TABLE "PersonDelivery" (
    "id" UUID NOT NULL,
    "orgId" UUID NOT NULL,
    "rowId" UUID NOT NULL,
    "machineId" UUID NOT NULL,
    "agentName" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "outboxEpoch" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "state" "DeliveryState" NOT NULL,
    "reason" TEXT,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "acceptedAt" TIMESTAMP(3),

    CONSTRAINT "PersonDelivery_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "Channel_orgId_nameKey_key" ON "Channel"("orgId", "nameKey");

-- CreateIndex
CREATE INDEX "ChannelMember_agentId_idx" ON "ChannelMember"("agentId");

-- CreateIndex
CREATE INDEX "ChannelMember_orgId_userId_idx" ON "ChannelMember"("orgId", "userId");

-- CreateIndex
CREATE UNIQUE INDEX "ChannelMember_channelId_agentId_key" ON "ChannelMember"("channelId", "agentId");

-- CreateIndex
CREATE UNIQUE INDEX "ChannelMember_channelId_userId_key" ON "ChannelMember"("channelId", "userId");

-- CreateIndex
CREATE INDEX "DashboardMessage_orgId_userId_agentId_id_idx" ON "DashboardMessage"("orgId", "userId", "agentId", "id");

-- CreateIndex
CREATE INDEX "DashboardMessage_orgId_userId_seenAt_idx" ON "DashboardMessage"("orgId", "userId", "seenAt");

-- CreateIndex
CREATE INDEX "DashboardMessage_channelId_id_idx" ON "DashboardMessage"("channelId", "id");

-- CreateIndex
CREATE INDEX "DashboardMessage_channelId_seenAt_idx" ON "DashboardMessage"("channelId", "seenAt");

-- CreateIndex
CREATE INDEX "DashboardMessage_storedAt_idx" ON "DashboardMessage"("storedAt");

-- CreateIndex
CREATE INDEX "DashboardMessage_agentId_idx" ON "DashboardMessage"("agentId");

-- CreateIndex
CREATE INDEX "DashboardMessage_fromUserId_idx" ON "DashboardMessage"("fromUserId");

-- CreateIndex
CREATE UNIQUE INDEX "DashboardMessage_fromMachineId_messageId_key" ON "DashboardMessage"("fromMachineId", "messageId");

-- CreateIndex
CREATE INDEX "OwedReceipt_createdAt_idx" ON "OwedReceipt"("createdAt");

-- CreateIndex
CREATE INDEX "PersonDelivery_rowId_idx" ON "PersonDelivery"("rowId");

-- CreateIndex
CREATE INDEX "PersonDelivery_state_expiresAt_idx" ON "PersonDelivery"("state", "expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "PersonDelivery_machineId_outboxEpoch_stream_seq_key" ON "PersonDelivery"("machineId", "outboxEpoch", "stream", "seq");

-- CreateIndex
CREATE INDEX "DashboardMessage_orgId_messageId_idx" ON "DashboardMessage"("orgId", "messageId");

-- AddForeignKey
ALTER TABLE "Channel" ADD CONSTRAINT "Channel_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ChannelMember" ADD CONSTRAINT "ChannelMember_channelId_fkey" FOREIGN KEY ("channelId") REFERENCES "Channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ChannelMember" ADD CONSTRAINT "ChannelMember_agentId_fkey" FOREIGN KEY ("agentId") REFERENCES "Agent"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ChannelMember" ADD CONSTRAINT "ChannelMember_orgId_userId_fkey" FOREIGN KEY ("orgId", "userId") REFERENCES "Membership"("orgId", "userId") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_fromUserId_fkey" FOREIGN KEY ("fromUserId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_channelId_fkey" FOREIGN KEY ("channelId") REFERENCES "Channel"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_agentId_fkey" FOREIGN KEY ("agentId") REFERENCES "Agent"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DashboardWatermark" ADD CONSTRAINT "DashboardWatermark_machineId_fkey" FOREIGN KEY ("machineId") REFERENCES "Machine"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "OwedReceipt" ADD CONSTRAINT "OwedReceipt_machineId_fkey" FOREIGN KEY ("machineId") REFERENCES "Machine"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PersonStream" ADD CONSTRAINT "PersonStream_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PersonStream" ADD CONSTRAINT "PersonStream_machineId_fkey" FOREIGN KEY ("machineId") REFERENCES "Machine"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PersonDelivery" ADD CONSTRAINT "PersonDelivery_rowId_fkey" FOREIGN KEY ("rowId") REFERENCES "DashboardMessage"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PersonDelivery" ADD CONSTRAINT "PersonDelivery_machineId_fkey" FOREIGN KEY ("machineId") REFERENCES "Machine"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say.
ALTER TABLE "ChannelMember" ADD CONSTRAINT "ChannelMember_one_kind" CHECK (num_nonnulls("agentId", "userId") = 1);
ALTER TABLE "DashboardMessage" ADD CONSTRAINT "DashboardMessage_one_place" CHECK (num_nonnulls("userId", "channelId") = 1);
