//! The answers against the documents' own field lists.

use super::*;

/// The fields of a movement, copied from the document by hand: the second copy that disagrees when one is wrong.
pub(super) const MOVEMENT: &str = "_id:number amount:number dateTime:string firstName:string lastName:string userId:number \
    taxes:list commission.rate:number commission.amount:number payment.paymentId:number payment.hash:string \
    payment.method:string payment.totalAmount:number payment.hasRefund:boolean payment.canceled:boolean \
    payment.cardNumber:string payment.cardHolderName:string payment.first5Numbers:string payment.last4Numbers:string \
    payment.issuerName:string payment.issuerKey:string payment.paymentMethodId:number payment.name:string \
    payment.es:string payment.en:string payment.paymentMethodType:string payment.adjustTipAvailable:boolean \
    payment.issuerImageUrl:string authorizationCode:string authenticationType:string operationCode:string \
    operation:string operationId:number saleId:number cardName:string abr:string device:string buyer.id:number \
    buyer.name:string buyer.buyerId:number buyer.firstName:string buyer.lastName:string buyer.email:string \
    buyer.address:string buyer.addressLine2:string buyer.province:string buyer.zipCode:string buyer.birthdate:string \
    buyer.phone:string buyer.city:string buyer.document:string buyer.documentType:string buyer.countryId:string \
    buyer.occupation:string buyer.country:string items.0.productId:number items.0.isCustomAmount:boolean \
    items.0.quantity:number items.0.productPrice:number items.0.totalAmount:number items.0.productName:string \
    items.0.productBackgroundColor:string items.0.productImageUrl:string canAnnulate:boolean \
    canAnnulateWithoutCard:boolean canRefund:boolean canRefundWithoutCard:boolean canceled:boolean";

const TRANSACTION: &str = "income:number date:string amount:string operation:string holder:string cuit:string \
    cvu_cbu:string status:string sale_point_name:string";

const CASHIN: &str = "status:string buyer.0.cuit:string buyer.0.cvu:string amount:number concept:string \
    description:string transaction_id:number link_id:number qr_order_id:null";

const ORDER: &str = "data.id:string data.type:string data.attributes.uuid:string data.attributes.accountId:number \
    data.attributes.subsidiaryId:number data.attributes.source:string data.attributes.appId:string \
    data.attributes.paymentLimits:number data.attributes.orderNumber:string data.attributes.price.currency:string \
    data.attributes.price.amount:number data.attributes.shipping:null data.attributes.tip:null \
    data.attributes.items.0.name:string data.attributes.items.0.quantity:number \
    data.attributes.items.0.unitPrice.currency:string data.attributes.items.0.unitPrice.amount:number \
    data.attributes.items.0.itemId:null data.attributes.status:string data.attributes.taxes:list \
    data.attributes.externalData.user_uuid:string data.attributes.externalData.checkout_url:string \
    data.attributes.externalData.referer:string data.attributes.externalData.errorMessage:null \
    data.attributes.links.checkout:string data.attributes.links.redirect_url.success:null \
    data.attributes.links.redirect_url.failed:null data.attributes.hasPendingPayment:boolean \
    data.attributes.payment.id:string data.attributes.payment.authorization_code:string \
    data.attributes.payment.reference_number:string data.attributes.payment.status:string \
    data.attributes.payment.isRefunded:boolean data.attributes.payments.0.id:string \
    data.attributes.payments.0.authorization_code:string data.attributes.payments.0.reference_number:string \
    data.attributes.payments.0.status:string data.attributes.payments.0.isRefunded:boolean \
    data.attributes.store:null data.attributes.billing:null data.links.0.checkout:string \
    data.links.0.redirect_url.success:null data.links.0.redirect_url.failed:null";

#[tokio::test(start_paused = true)]
async fn every_documented_field_is_there_in_its_type() {
    let bench = Bench::new();
    bench.world.telepagos_credit(pesos(1500));
    let row = &bench.rows()[0];
    has_shape(row, TRANSACTION);
    assert_eq!(row.as_object().unwrap().len(), 9, "and no other");
    assert_eq!((row["amount"].as_str(), row["date"].as_str()), (Some("1500.00"), Some("2026-11-21 14:00:00")));

    let id = bench.world.telepagos_cashin(Via::Link, Money::from_cents(150_050));
    let cashin = bench.telepagos(Method::GET, &format!("/v2/payment/cashin/{id}"), "", &bench.token());
    has_shape(&read(&cashin), CASHIN);
    assert!(std::str::from_utf8(&cashin.body).unwrap().contains(r#""amount":1500.50,"#));
    bench.world.configure(|settings| settings.buyer_as_list = false);
    let cashin = bench.telepagos(Method::GET, &format!("/v2/payment/cashin/{id}"), "", &bench.token());
    assert!(read(&cashin)["buyer"]["cuit"].is_string());

    bench.world.sipago_sale(pesos(100));
    let page = bench.page(0);
    has_shape(&page, "page:number existMore:boolean listTrx:list");
    has_shape(&page["listTrx"][0], MOVEMENT);
    assert_eq!(page["listTrx"][0].as_object().unwrap().len(), 25, "and no other");

    let uuid = bench.world.order_create(Money::from_cents(20_069));
    assert!(bench.order(&uuid)["payment"].is_null() && bench.order(&uuid)["payments"].is_null());
    bench.world.order_pay(&uuid);
    let path = format!("/services/checkout/getLink/{uuid}");
    let order = read(&bench.sipago(Method::GET, &path, ""));
    has_shape(&order[0], ORDER);
    assert_eq!(order[0]["data"]["attributes"]["price"]["amount"], 20_069);
    bench.world.configure(|settings| settings.order_as_list = false);
    has_shape(&read(&bench.sipago(Method::GET, &path, "")), ORDER);
}
