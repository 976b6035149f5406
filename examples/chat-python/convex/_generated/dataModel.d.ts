/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import type { DocumentByName, SystemTableNames, TableNamesInDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** The tables: their documents and the indexes on them. */
export type DataModel = {
  channels: {
    document: { _id: Id<"channels">; _creationTime: number; name: string };
    fieldPaths: "_creationTime" | "_id" | "name";
    indexes: { by_id: ["_id"]; by_creation_time: ["_creationTime"]; by_name: ["name", "_creationTime"] };
    searchIndexes: {};
    vectorIndexes: {};
  };
  messages: {
    document: {
      _id: Id<"messages">;
      _creationTime: number;
      channel: Id<"channels">;
      author: string;
      kind: "person" | "command" | "webhook";
      text: string;
      file?: { id: Id<"_storage">; name: string };
    };
    fieldPaths: "_creationTime" | "_id" | "author" | "channel" | "file" | "file.id" | "file.name" | "kind" | "text";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_channel: ["channel", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  presence: {
    document: {
      _id: Id<"presence">;
      _creationTime: number;
      channel: Id<"channels">;
      name: string;
      until: number;
    };
    fieldPaths: "_creationTime" | "_id" | "channel" | "name" | "until";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_channel_name: ["channel", "name", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
};

/** The names of the tables. */
export type TableNames = TableNamesInDataModel<DataModel>;

/** A document of a table, with its system fields. */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/** The id of a document of a table: a string at run time, told apart from other strings by its type. */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
